import process from "node:process";
import stringWidth from "string-width";
import wrapAnsi from "wrap-ansi";
import type { EventsUntil } from "../operations/telemetry/drain-before-reading.js";

/** Of a usual terminal, and of a pipe. */
export const columnsUsual = 80;
/** Below the smallest nothing could be read. */
const columnsMax = () => Math.max(40, process.stdout.columns || columnsUsual);
const gap = 2;

/** Of a wrapped column. */
const wrappedColumnsMin = 24;

/**
 * Rows as aligned columns, or `none`. The first column names the row, the second decides. A text in the last column is
 * wrapped. The columns of `below`, and those that do not fit, are printed under their row: nothing is cut, so that an ID
 * can be copied.
 */
export function table(
  rows: Record<string, unknown>[],
  none = "None.",
  below: readonly string[] = [],
): string {
  const [first] = rows;
  if (!first) return none;
  const columns = Object.keys(first)
    .filter((heading) => !below.includes(heading))
    .map((heading) => {
      const cells = rows.map((row) => cell(row[heading]));
      return {
        heading,
        cells,
        width: Math.max(...[heading, ...cells].map((text) => stringWidth(text))),
      };
    });
  const beside = fitting(columns);
  const under = Object.keys(first).filter(
    (name) => !beside.some(({ heading }) => heading === name),
  );
  const line = (textOf: (column: Column) => string | undefined) =>
    beside
      .map((column) => padEnd(textOf(column) ?? "", column.width))
      .join(" ".repeat(gap))
      .trimEnd();
  /** Several lines for a wrapped cell; `cell` escapes the line breaks of values. */
  const lines = (at: number) => {
    const cells = beside.map((column) => (column.cells[at] ?? "").split("\n"));
    const count = Math.max(1, ...cells.map(({ length }) => length));
    return Array.from({ length: count }, (_, part) =>
      line((column) => cells[beside.indexOf(column)]?.[part]),
    );
  };
  return [
    line(({ heading }) => heading),
    ...rows.flatMap((row, at) => [...lines(at), ...linesBelow(row, under)]),
  ].join("\n");
}

interface Column {
  heading: string;
  cells: string[];
  width: number;
}

/** With the last column wrapped, or without the widest columns, until the rest fits. The first two stay if they can. */
function fitting(columns: Column[]): Column[] {
  const total = totalWidth(columns);
  if (total <= columnsMax()) return columns;
  const last = columns.at(-1);
  const texts = last && wrappedColumn(last, columnsMax() - (total - last.width));
  if (texts) return [...columns.slice(0, -1), texts];
  const [first] = columns;
  const isFirstTooWide = columns.length === 1 || (first?.width ?? 0) > columnsMax() / 2;
  const areTwoTooWide = columns.length === 2 || totalWidth(columns.slice(0, 2)) > columnsMax();
  const kept = isFirstTooWide ? 0 : areTwoTooWide ? 1 : 2;
  const widest = Math.max(...columns.slice(kept).map(({ width }) => width));
  const removed = columns.findLastIndex(({ width }, at) => at >= kept && width === widest);
  return fitting(columns.toSpliced(removed, 1));
}

function totalWidth(columns: Column[]): number {
  return columns.reduce((sum, { width }) => sum + width + gap, -gap);
}

/** Undefined when a word does not fit: an ID in several lines cannot be copied. */
function wrappedColumn({ heading, cells }: Column, width: number): Column | undefined {
  if (width < wrappedColumnsMin) return undefined;
  const wrappedCells = cells.map((text) => wrapAnsi(text, width));
  const isFit = wrappedCells.every((text) =>
    text.split("\n").every((line) => stringWidth(line) <= width),
  );
  return isFit ? { heading, cells: wrappedCells, width } : undefined;
}

/** `name value` pairs, several per line; missing values are left out. */
function linesBelow(row: Record<string, unknown>, names: readonly string[]): string[] {
  const lines: string[] = [];
  for (const name of names) {
    if (row[name] === null || row[name] === undefined) continue;
    const text = `${name} ${cell(row[name])}`;
    const last = lines.at(-1);
    if (last !== undefined && stringWidth(`${last}  ${text}`) <= columnsMax()) {
      lines[lines.length - 1] = `${last}  ${text}`;
    } else lines.push(`    ${text}`);
  }
  return lines.flatMap((line) => wrapped(line.trimStart(), 4).split("\n"));
}

/** Broken into lines that fit and begin with `indent` spaces. */
export function wrapped(text: string, indent: number): string {
  const width = columnsMax() - indent;
  const lines = wrapAnsi(text, width, { hard: true }).split("\n");
  return lines.map((line) => " ".repeat(indent) + line).join("\n");
}

/** A command to copy, and a row of a Markdown table. */
const wholeLine = /^(Undo: )?npm run |^\|/;

/** Lines that do not fit a terminal, broken at spaces; a list keeps its second column. A command to copy stays on one line. */
export function brokenAtSpaces(text: string, width = columnsMax()): string {
  return text
    .split("\n")
    .map((line) => broken(line, width))
    .join("\n");
}

function broken(line: string, width: number): string {
  if (stringWidth(line) <= width || wholeLine.test(line)) return line;
  const [begin = ""] = /^ +(\S.*? {2,})?/.exec(line) ?? [];
  const [first, ...more] = wrapAnsi(line.slice(begin.length), width - begin.length).split("\n");
  return [begin + first, ...more.map((part) => " ".repeat(begin.length) + part)].join("\n");
}

function padEnd(text: string, width: number): string {
  return text + " ".repeat(width - stringWidth(text));
}

/** Escape control and formatting characters as JSON does, so that text from users cannot control an operator's terminal. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) =>
    // By UTF-16 code unit, as in JSON.
    sign.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  );
}

/** How current a list of requests and events is. */
export function untilText({ eventsUntil, redisAnswered = true }: EventsUntil): string {
  const until = `Events up to ${eventsUntil.slice(0, 19).replace("T", " ")} UTC.`;
  return redisAnswered
    ? until
    : `${until}\nRedis does not answer: newer events are missing until it does.`;
}

export function notInRedisText(what: "flags" | "blocks"): string {
  return `Redis has not confirmed these ${what}: the newest change may not be active yet.\nThe server writes them every second until Redis accepts them.`;
}

/** `visible`, but keeps line breaks. Everything printed goes through this or `json`. */
export function visibleLines(text: string): string {
  return text.split("\n").map(visible).join("\n");
}

/** JSON on one line; JSON.stringify alone does not escape all control characters. */
export function json(value: unknown): string {
  return visible(JSON.stringify(value));
}

const timestampPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function cell(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (typeof value === "string" && timestampPattern.test(value)) return `${value.slice(0, 19)}Z`;
  return visible(typeof value === "object" ? JSON.stringify(value) : String(value));
}

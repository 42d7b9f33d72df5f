const columnsMax = 100;

/**
 * Rows under their headings, each column as wide as its widest cell; a line of words where there are none.
 * What is too wide for a column, such as ids, goes `below` its row.
 */
export function table(
  rows: Record<string, unknown>[],
  none = "None.",
  below: readonly string[] = [],
): string {
  const [first] = rows;
  if (!first) return none;
  const headings = Object.keys(first).filter((heading) => !below.includes(heading));
  const cells = [headings, ...rows.map((row) => headings.map((heading) => cell(row[heading])))];
  const widths = headings.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)));
  return cells
    .flatMap((line, at) => [
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
      ...linesBelow(rows[at - 1] ?? {}, below),
    ])
    .join("\n");
}

/** Each with its name, as many to a line as fit; what is unknown is left out. */
function linesBelow(row: Record<string, unknown>, names: readonly string[]): string[] {
  const lines: string[] = [];
  for (const name of names) {
    if (row[name] === null || row[name] === undefined) continue;
    const text = `${name} ${cell(row[name])}`;
    const last = lines.at(-1);
    if (last !== undefined && last.length + 2 + text.length <= columnsMax) {
      lines[lines.length - 1] = `${last}  ${text}`;
    } else lines.push(`    ${text}`);
  }
  return lines;
}

/**
 * Text from elsewhere, in one line: a learner names a device, and must not move the cursor, colour, end a
 * line or turn the direction in an operator's terminal. What could is written as JSON writes it.
 */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) =>
    // By code unit, as JSON has it.
    sign.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  );
}

/** All that is printed goes through this or `json`; where a line ends, the command has decided. */
export function lines(text: string): string {
  return text.split("\n").map(visible).join("\n");
}

/** JSON in one line, in which nothing steers a terminal: JSON.stringify escapes a part of it only. */
export function json(value: unknown): string {
  return visible(JSON.stringify(value));
}

/** As JSON has it, to the millisecond; a column is read to the second. */
const isMoment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function cell(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (typeof value === "string" && isMoment.test(value)) return `${value.slice(0, 19)}Z`;
  return visible(typeof value === "object" ? JSON.stringify(value) : String(value));
}

const columnsMax = 100;

/** Rows as aligned columns, or `none`. The columns of `below` are printed under their row. */
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

/** `name value` pairs, several per line; missing values are left out. */
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

/** Escape control and formatting characters as JSON does, so that text from users cannot control an operator's terminal. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) =>
    // By UTF-16 code unit, as in JSON.
    sign.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  );
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

/** Rows under their headings, each column as wide as its widest cell; a line of words where there are none. */
export function table(rows: Record<string, unknown>[], none = "None."): string {
  const [first] = rows;
  if (!first) return none;
  const headings = Object.keys(first);
  const cells = [headings, ...rows.map((row) => headings.map((heading) => cell(row[heading])))];
  const widths = headings.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((text, at) => text.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
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

function cell(value: unknown): string {
  if (value === null || value === undefined) return "-";
  return visible(typeof value === "object" ? JSON.stringify(value) : String(value));
}

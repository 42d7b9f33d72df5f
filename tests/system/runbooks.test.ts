import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const sources = readdirSync("lib", { recursive: true, encoding: "utf8" })
  .filter((file) => /\.m?ts$|\.mjs$/.test(file))
  .map((file) => readFileSync(join("lib", file), "utf8"))
  .join("\n");
const pages = readdirSync("docs/runbooks");

describe("runbooks", () => {
  it.each(pages)("%s quotes only messages that the server prints", (page) => {
    expect(messagesIn(readFileSync(join("docs/runbooks", page), "utf8"))).toSatisfy(
      (messages: string[]) => messages.every((message) => sources.includes(message)),
    );
  });

  it("quote messages in the expected pages", () => {
    const quoting = pages.filter(
      (page) => messagesIn(readFileSync(join("docs/runbooks", page), "utf8")).length > 0,
    );
    expect(quoting).toEqual([
      "backend-wont-start.md",
      "database-connection-lost.md",
      "redis-down.md",
    ]);
  });
});

/** The first column of the tables with the header "message". */
function messagesIn(text: string): string[] {
  const tables = text.split("\n\n").filter((block) => /^\| message /.test(block));
  return tables.flatMap((block) =>
    block
      .split("\n")
      .slice(2)
      .flatMap((row) => /^\| `([^`]+)`/.exec(row)?.[1] ?? []),
  );
}

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { sourceFiles } from "../support/source-files.js";

const readers = [
  "lib/env.ts",
  "lib/cli/ops.ts",
  "lib/self-hosted/env-file.ts",
  // A release migrates before any function runs, with DATABASE_URL and no other variable.
  "lib/db/migrations/command.ts",
  "lib/self-hosted/migrate.ts",
  "lib/self-hosted/cron-secret.ts",
];

describe("the process's environment", () => {
  it("is read by one reader, and by the commands that need less than it asks for", () => {
    const reading = sourceFiles("api", "lib").filter((file) =>
      /\bprocess\.env\b|\bimport\.meta\.env\b|\{[^}]*\benv\b[^}]*\} (=|from) ("(node:)?process"|process\b)/.test(
        readFileSync(file, "utf8"),
      ),
    );
    expect(reading.sort()).toEqual(readers.sort());
  });
});

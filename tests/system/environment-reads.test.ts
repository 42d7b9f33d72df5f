import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { sourceFiles } from "../support/source-files.js";

const readers = [
  "lib/env.ts",
  "lib/cli/ops.ts",
  "lib/self-hosted/env-file.ts",
  // Migrations run before any function, and need only DATABASE_URL.
  "lib/db/migrations/command.ts",
  "lib/self-hosted/migrate.ts",
  // A restore may run where the backend is not configured.
  "lib/self-hosted/backup.ts",
  "lib/self-hosted/cron-secret.ts",
];

describe("process.env", () => {
  it("is read only by lib/env.ts and by the listed commands, which need fewer variables", () => {
    const reading = sourceFiles("api", "lib").filter((file) =>
      /\bprocess\.env\b|\bimport\.meta\.env\b|\{[^}]*\benv\b[^}]*\} (=|from) ("(node:)?process"|process\b)/.test(
        readFileSync(file, "utf8"),
      ),
    );
    expect(reading.sort()).toEqual(readers.sort());
  });
});

import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const parts = [
  ".env.example",
  "api",
  "dev",
  "drizzle",
  "lib",
  "package.json",
  "public",
  "tsconfig.json",
  "vercel.json",
];

/** A copy of the project in a folder of its own, so that building and running leave no trace here. */
export function copyProject(): { root: string; remove(): void } {
  const root = mkdtempSync(path.join(tmpdir(), "linguamate-"));
  for (const part of parts) cpSync(part, path.join(root, part), { recursive: true });
  symlinkSync(path.resolve("node_modules"), path.join(root, "node_modules"));
  return { root, remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }) };
}

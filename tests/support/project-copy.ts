import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { inject } from "vitest";

const parts = [
  ".env.example",
  "api",
  "dev",
  "docs/openapi.json",
  "docs/openapi-operators.json",
  "drizzle",
  "lib",
  "package.json",
  "public",
  "tsconfig.json",
  "vercel.json",
];

/** Copy the project into a temporary folder, to build and run it there. */
export function copyProject(): ProjectCopy {
  return copyFrom(".", parts);
}

/** Copy the project with its build, which is created once for all test files. */
export function copyBuiltProject(): ProjectCopy {
  return copyFrom(inject("builtProject"), [...parts, ".vercel"]);
}

interface ProjectCopy {
  root: string;
  remove(): void;
}

function copyFrom(source: string, copied: string[]): ProjectCopy {
  const root = mkdtempSync(path.join(tmpdir(), "linguamate-"));
  for (const part of copied) {
    cpSync(path.join(source, part), path.join(root, part), { recursive: true });
  }
  symlinkSync(path.resolve("node_modules"), path.join(root, "node_modules"));
  return { root, remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }) };
}

import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { parse } from "dotenv";

/** Sets `process.env`. Existing variables win; of duplicate lines the last wins. A missing file is ignored. */
export function loadEnvFile(path = ".env"): void {
  const text = readIfPresent(path);
  if (text === undefined) return;
  for (const [name, value] of Object.entries(parse(text))) process.env[name] ??= value;
}

/** Copies `example`, with mode 600. False when the file exists. */
export function createEnvFile(path = ".env", example = ".env.example"): boolean {
  try {
    writeFileSync(path, readFileSync(example), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

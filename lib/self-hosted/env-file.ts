import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { parse } from "dotenv";

/** Load `.env` into the process: the process environment wins, and of two equal lines the last. */
export function loadEnvFile(path = ".env"): void {
  const text = readIfPresent(path);
  if (text === undefined) return;
  for (const [name, value] of Object.entries(parse(text))) process.env[name] ??= value;
}

/** Make `.env` from the example, readable by its owner alone. True when it was made, false when there is one already. */
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

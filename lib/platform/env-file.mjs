import { constants, copyFileSync, readFileSync } from "node:fs";
import process from "node:process";
import { parse } from "dotenv";

/** Load `.env` into the process: the process environment wins, and of two equal lines the last. */
export function loadEnvFile(path = ".env") {
  let text;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return;
    throw error;
  }
  for (const [name, value] of Object.entries(parse(text))) process.env[name] ??= value;
}

/** Make `.env` from the example. True when it was made, false when there is one already. */
export function createEnvFile(path = ".env", example = ".env.example") {
  try {
    copyFileSync(example, path, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

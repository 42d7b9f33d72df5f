import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import * as z from "zod";

/** By language: words that are right although the dictionary does not know them. */
const AllowedWords = z.record(z.string(), z.array(z.string()));
export type AllowedWords = z.infer<typeof AllowedWords>;

export function readAllowedWords(folder: string): AllowedWords {
  const file = join(folder, "spelling.yaml");
  return existsSync(file) ? AllowedWords.parse(parse(readFileSync(file, "utf8")) ?? {}) : {};
}

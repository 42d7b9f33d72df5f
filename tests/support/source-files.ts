import { readdirSync } from "node:fs";
import { join } from "node:path";

/** The TypeScript and JavaScript files in these folders, sorted, relative to the project root. */
export function sourceFiles(...folders: string[]): string[] {
  return folders
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
    )
    .filter((file) => /\.(ts|mjs)$/.test(file))
    .sort();
}

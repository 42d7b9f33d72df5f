import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** Matches these files of packages. Throws if one does not exist, for example in a new version of its package. */
export function packageFiles(files: string[]): RegExp {
  const folders = createRequire(import.meta.url).resolve.paths("package") ?? [];
  for (const file of files) {
    const isFound = folders.some((folder) => existsSync(join(folder, file)));
    if (!isFound) throw new Error(`${file} does not exist.`);
  }
  const names = files.map((file) => file.replaceAll(".", "\\.").replaceAll("/", "[/\\\\]"));
  return new RegExp(`[/\\\\]node_modules[/\\\\](${names.join("|")})$`);
}

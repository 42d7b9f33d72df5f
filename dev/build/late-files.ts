import { copyFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { build, type Metafile, type Plugin } from "esbuild";
import { bundleOptions } from "./bundle.js";

/**
 * Modules that most invocations never need and that would double a function: each becomes a file of its
 * own beside the functions that `import()` it, which load it when they come to that line.
 */
const lateModules = [{ source: "lib/observability/sentry.ts", file: "sentry.mjs" }] as const;

const names = lateModules.map(({ source }) => basename(source, ".ts")).join("|");

/** Leave `import("./sentry.js")` to run time. */
export const lateFiles: Plugin = {
  name: "late-files",
  setup({ onResolve }) {
    onResolve(
      { filter: new RegExp(`^\\.{1,2}/(.+/)?(${names})\\.js$`) },
      ({ path, resolveDir, kind }) => {
        if (kind !== "dynamic-import") return undefined;
        const target = join(resolveDir, path).replace(/\.js$/, ".ts");
        const late = lateModules.find(({ source }) => target.endsWith(`/${source}`));
        return late && { path: `./${late.file}`, external: true };
      },
    );
  },
};

/** Build each late module that these outputs import, with a source map apart, and put it beside them. */
export async function writeLateFiles(
  root: string,
  { outputs }: Metafile,
  sourceMaps: string,
): Promise<void> {
  for (const { source, file } of lateModules) {
    const users = Object.entries(outputs).filter(([, { imports }]) =>
      imports.some(({ path, external }) => external && path === `./${file}`),
    );
    if (users.length === 0) continue;
    const entry = { in: join(root, source), out: file.replace(/\.mjs$/, "") };
    await build({
      ...bundleOptions([entry], sourceMaps),
      absWorkingDir: root,
      minify: true,
      sourcemap: "external",
    });
    const built = join(sourceMaps, file);
    for (const [path] of users) await copyFile(built, join(root, dirname(path), file));
  }
}

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { build, type Metafile, type OutputFile } from "esbuild";
import { bundleOptions, nativePackages } from "./bundle.js";
import { lateFiles, writeLateFiles } from "./late-files.js";
import { collectNativePackage, installPackages } from "./native-packages.js";

export interface FunctionOutput {
  file: string;
  bytes: number;
}

/**
 * Bundle each function file into a folder of the Build Output API: one JavaScript file, the files that
 * it loads late, its settings, and the native packages that it imports. Source maps are put apart, where nothing serves them.
 */
export async function writeFunctions(
  root: string,
  files: readonly string[],
): Promise<{ functions: FunctionOutput[]; missing: string[] }> {
  const entries = files.map((file) => ({
    in: join(root, file),
    out: `${nameOf(file)}.func/index`,
  }));
  const outdir = join(root, ".vercel/output/functions");
  const options = bundleOptions(entries, outdir);
  const { outputFiles, metafile } = await build({
    ...options,
    plugins: [...options.plugins, lateFiles],
    absWorkingDir: root,
    minify: true,
    sourcemap: "external",
    metafile: true,
    write: false,
  });
  for (const { path, contents } of outputFiles) {
    const place = path.endsWith(".map")
      ? join(root, ".vercel/source-maps", relative(outdir, path))
      : path;
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, contents);
  }
  await writeLateFiles(root, metafile, join(root, ".vercel/source-maps"));
  const missing = await installNativePackages(root, metafile);
  for (const file of files) {
    const settings = functionSettings(await readFile(join(root, file), "utf8"), file);
    const folder = join(outdir, `${nameOf(file)}.func`);
    await writeFile(join(folder, ".vc-config.json"), JSON.stringify(settings, null, 2));
  }
  return { functions: files.map((file) => outputOf(file, outputFiles)), missing };
}

async function installNativePackages(root: string, { outputs }: Metafile): Promise<string[]> {
  const missing = new Set<string>();
  for (const name of nativePackages) {
    const users = Object.entries(outputs).filter(([, { imports }]) =>
      imports.some(({ path, external }) => external && path === name),
    );
    if (users.length === 0) continue;
    const collected = await collectNativePackage(root, name);
    for (const architecture of collected.missing) missing.add(architecture);
    for (const [path] of users) {
      await installPackages(collected.folders, join(root, dirname(path)));
    }
  }
  return [...missing];
}

function functionSettings(source: string, file: string) {
  return {
    handler: "index.mjs",
    runtime: "nodejs22.x",
    launcherType: "Nodejs",
    shouldAddHelpers: false,
    supportsResponseStreaming: true,
    ...maxDuration(source, file),
  };
}

/** The platform reads a function's `config` without running it, so it has to be literal. */
function maxDuration(source: string, file: string): { maxDuration?: number } {
  if (!/^\s*export const config\b/m.test(source)) return {};
  const seconds = /^\s*export const config = \{ maxDuration: (\d+) \}/m.exec(source)?.[1];
  if (seconds === undefined) {
    throw new Error(`${file}: write \`export const config = { maxDuration: 60 };\`.`);
  }
  return { maxDuration: Number(seconds) };
}

function outputOf(file: string, outputFiles: readonly OutputFile[]): FunctionOutput {
  const path = join(`${nameOf(file)}.func`, "index.mjs");
  const output = outputFiles.find((candidate) => candidate.path.endsWith(path));
  return { file, bytes: output?.contents.byteLength ?? 0 };
}

function nameOf(file: string): string {
  return file.replace(/\.\w+$/, "");
}

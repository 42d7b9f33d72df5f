import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { build, type Metafile } from "esbuild";
import { type Release, releaseFile } from "../../lib/release.js";
import type { ListedFunction } from "../../lib/self-hosted/built-functions.js";
import { bundleOptions, nativePackages } from "./bundle.js";
import { collectNativePackage, installPackages } from "./native-packages.js";

export interface FunctionOutput {
  file: string;
  /** The entry and its statically imported chunks: the code loaded before the first reply. */
  bytes: number;
  /** Of the entry and all its chunks, by npm package; the rest is `ownCode`. */
  bytesByPackage: Record<string, number>;
}

/** Of this repository, and what the bundler adds. */
const ownCode = "own code";

type Outputs = Metafile["outputs"];

const bundles = ".vercel/functions";
const entryName = (index: number) => `entry-${index}.mjs`;

/**
 * Write all functions and the self-hosted server into `.vercel/functions`, where they share chunks, and each function
 * into a folder of the Build Output API: entry, copies of its chunks, release, settings, native packages. Source maps go
 * to another folder, which is not served. `missing`: architectures without a native binary.
 */
export async function writeFunctions(
  root: string,
  files: readonly string[],
  release: Release,
): Promise<{ functions: FunctionOutput[]; missing: string[] }> {
  const outputs = await bundleTogether(root, files);
  const writeRelease = (folder: string) =>
    writeFile(join(folder, releaseFile), JSON.stringify(release, null, 2));
  await writeRelease(join(root, bundles));
  const missing = new Set<string>();
  const functions: FunctionOutput[] = [];
  const listed: ListedFunction[] = [];
  for (const [index, file] of files.entries()) {
    const folder = join(root, ".vercel/output/functions", `${nameOf(file)}.func`);
    const entry = `${bundles}/${entryName(index)}`;
    const chunks = importedBy(outputs, entry, { late: true });
    await mkdir(folder, { recursive: true });
    await copyFile(join(root, entry), join(folder, "index.mjs"));
    await writeRelease(folder);
    for (const chunk of chunks) await copyFile(join(root, chunk), join(folder, basename(chunk)));
    const limits = maxDuration(await readFile(join(root, file), "utf8"), file);
    const settings = { ...functionSettings, ...limits };
    await writeFile(join(folder, ".vc-config.json"), JSON.stringify(settings, null, 2));
    listed.push({ file, entry: entryName(index), ...limits });
    const required = nativePackagesOf(outputs, [entry, ...chunks]);
    for (const name of required) {
      const collected = await collectNativePackage(root, name);
      for (const architecture of collected.missing) missing.add(architecture);
      for (const place of [folder, join(root, bundles)])
        await installPackages(collected.folders, place);
    }
    const loaded = [entry, ...importedBy(outputs, entry, { late: false })];
    functions.push({
      file,
      bytes: sum(loaded.map((path) => outputs[path]?.bytes ?? 0)),
      bytesByPackage: bytesByPackage(outputs, [entry, ...chunks]),
    });
  }
  await writeFile(join(root, bundles, "functions.json"), JSON.stringify(listed, null, 2));
  await moveSourceMaps(root, outputs, files);
  return { functions, missing: [...missing] };
}

async function bundleTogether(root: string, files: readonly string[]): Promise<Outputs> {
  await rm(join(root, bundles), { recursive: true, force: true });
  const entries = files.map((file, index) => ({ in: join(root, file), out: `entry-${index}` }));
  const server = join(root, "lib/self-hosted/self-hosted.ts");
  if (existsSync(server)) entries.push({ in: server, out: "server" });
  const { metafile } = await build({
    ...bundleOptions(entries, join(root, bundles)),
    splitting: true,
    chunkNames: "chunk-[hash]",
    absWorkingDir: root,
    minify: true,
    sourcemap: "external",
    metafile: true,
    // An optional driver that pg requires in a try block.
    external: ["pg-native"],
  });
  return metafile.outputs;
}

/** The chunks that an output imports, directly or indirectly. `late` adds dynamic imports. */
function importedBy(outputs: Outputs, output: string, { late }: { late: boolean }): string[] {
  const found = new Set([output]);
  for (const path of found) {
    for (const { path: imported, kind, external } of outputs[path]?.imports ?? []) {
      if (!external && (late || kind !== "dynamic-import")) found.add(imported);
    }
  }
  found.delete(output);
  return [...found];
}

function nativePackagesOf(outputs: Outputs, paths: readonly string[]): string[] {
  const imports = paths.flatMap((path) => outputs[path]?.imports ?? []);
  return nativePackages.filter((name) =>
    imports.some(({ path, external }) => external && path === name),
  );
}

/** All bytes of the files: those of no source file are own code. */
function bytesByPackage(outputs: Outputs, paths: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  const add = (name: string, bytes: number) => {
    found[name] = (found[name] ?? 0) + bytes;
  };
  for (const { bytes, inputs } of paths.flatMap((path) => outputs[path] ?? [])) {
    add(ownCode, bytes);
    for (const [source, { bytesInOutput }] of Object.entries(inputs)) {
      const name = /.*node_modules\/((@[^/]+\/)?[^/]+)/.exec(source)?.[1];
      if (!name) continue;
      add(name, bytesInOutput);
      add(ownCode, -bytesInOutput);
    }
  }
  return found;
}

async function moveSourceMaps(
  root: string,
  outputs: Outputs,
  files: readonly string[],
): Promise<void> {
  const folder = join(root, ".vercel/source-maps");
  const move = async (output: string, place: string) => {
    await mkdir(dirname(place), { recursive: true });
    await rename(join(root, `${output}.map`), place);
  };
  for (const [index, file] of files.entries()) {
    await move(
      `${bundles}/${entryName(index)}`,
      join(folder, `${nameOf(file)}.func/index.mjs.map`),
    );
  }
  const chunks = Object.keys(outputs).filter((path) => /(chunk-\w+|server)\.mjs$/.test(path));
  for (const chunk of chunks) await move(chunk, join(folder, `${basename(chunk)}.map`));
}

const functionSettings = {
  handler: "index.mjs",
  runtime: "nodejs22.x",
  launcherType: "Nodejs",
  shouldAddHelpers: false,
  supportsResponseStreaming: true,
};

/** The platform reads `config` without running the function, so it must be a literal. */
function maxDuration(source: string, file: string): { maxDuration?: number } {
  if (!/^\s*export const config\b/m.test(source)) return {};
  const seconds = /^\s*export const config = \{ maxDuration: (\d+) \}/m.exec(source)?.[1];
  if (seconds === undefined) {
    throw new Error(`${file}: write \`export const config = { maxDuration: 60 };\`.`);
  }
  return { maxDuration: Number(seconds) };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

function nameOf(file: string): string {
  return file.replace(/\.\w+$/, "");
}

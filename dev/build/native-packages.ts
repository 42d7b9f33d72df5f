import { execFile } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const targets = [
  { architecture: "x64", suffix: "linux-x64-gnu" },
  { architecture: "arm64", suffix: "linux-arm64-gnu" },
] as const;

/** Downloads a package that is not installed here into a folder. */
export type FetchPackage = (name: string, version: string, folder: string) => Promise<void>;

/**
 * Collect the loader of a native package and its binaries for Linux with glibc, on any build machine.
 * Binaries for another machine are downloaded from npm once and cached in `node_modules/.cache`.
 * Returns the architectures without a binary; throws if x64, which the platform uses, is missing.
 */
export async function collectNativePackage(
  root: string,
  name: string,
  fetchPackage: FetchPackage = fetchFromNpm,
): Promise<{ folders: { name: string; path: string }[]; missing: string[] }> {
  const path = join(root, "node_modules", name);
  const folders = [{ name, path }];
  const missing: string[] = [];
  const { optionalDependencies = {} } = await readPackage(path);
  for (const { architecture, suffix } of targets) {
    const binary = `${name}-${suffix}`;
    const version = optionalDependencies[binary];
    if (!version) throw new Error(`${name} has no binary for ${suffix}.`);
    try {
      folders.push({ name: binary, path: await locate(root, binary, version, fetchPackage) });
    } catch (cause) {
      if (architecture === "x64") throw new Error(`${binary}@${version} is missing.`, { cause });
      missing.push(architecture);
    }
  }
  return { folders, missing };
}

/** Copy the packages without documentation and types. */
export async function installPackages(
  folders: readonly { name: string; path: string }[],
  target: string,
): Promise<void> {
  for (const { name, path } of folders) {
    await cp(path, join(target, "node_modules", name), {
      recursive: true,
      dereference: true,
      filter: (source) => !/(\.md|\.d\.ts|[/\\]browser\.js)$/.test(source),
    });
  }
}

async function locate(
  root: string,
  name: string,
  version: string,
  fetchPackage: FetchPackage,
): Promise<string> {
  const installed = join(root, "node_modules", name);
  if (await holds(installed, version)) return installed;
  const cache = join(root, "node_modules/.cache/native", `${name.replace("/", "+")}-${version}`);
  const cached = join(cache, "node_modules", name);
  if (await holds(cached, version)) return cached;
  await mkdir(cache, { recursive: true });
  await fetchPackage(name, version, cache);
  return cached;
}

async function holds(path: string, version: string): Promise<boolean> {
  try {
    return (await readPackage(path)).version === version;
  } catch {
    return false;
  }
}

async function readPackage(
  path: string,
): Promise<{ version: string; optionalDependencies?: Record<string, string> }> {
  return JSON.parse(await readFile(join(path, "package.json"), "utf8"));
}

const fetchFromNpm: FetchPackage = async (name, version, folder) => {
  await writeFile(join(folder, "package.json"), "{}");
  // npm needs `--force` for a package for another machine.
  const options = ["--force", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund"];
  await promisify(execFile)(
    "npm",
    ["install", `${name}@${version}`, "--fetch-retries=0", ...options],
    { cwd: folder, timeout: 60_000 },
  );
};

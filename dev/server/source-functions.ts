import { readdir } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { watch } from "chokidar";
import type { LoadedFunction } from "../../lib/self-hosted/server/invocation.js";
import { routesFromFiles } from "../../lib/self-hosted/server/routes.js";
import type { Route } from "../../lib/self-hosted/server/server.js";
import { FunctionBuild } from "./function-build.js";

export interface SourceFunctions {
  /** A new array after each change of a file in api/ or lib/. */
  routes(): readonly Route[];
  close(): Promise<void>;
}

/** Build each function of `api/` at its first request, then again as soon as one of its imports changes. */
export async function watchFunctions(
  root: string,
  print: (text: string) => void,
): Promise<SourceFunctions> {
  const builds = new Map<string, FunctionBuild>();
  const watcher = watch([resolve(root, "api"), resolve(root, "lib")], { ignoreInitial: true });
  await new Promise<void>((ready) => {
    watcher.once("ready", ready);
  });
  let files = await apiFiles(root);
  let routes = routesOf(files);

  function routesOf(files: string[]): Route[] {
    return routesFromFiles(files).map(({ file, path }) => ({ path, load: () => load(file) }));
  }

  async function load(file: string): Promise<LoadedFunction> {
    const build = builds.get(file) ?? new FunctionBuild(root, file, print);
    builds.set(file, build);
    const loaded = await build.loaded;
    watcher.add([...build.inputs]);
    return loaded;
  }

  const changed = new Set<string>();
  let reloading: NodeJS.Timeout | undefined;

  async function reload(): Promise<void> {
    const paths = new Set(changed);
    changed.clear();
    reloading = undefined;
    files = await apiFiles(root);
    routes = routesOf(files);
    const stale = [...builds].filter(([, build]) => build.dependsOn(paths)).map(([file]) => file);
    for (const file of stale) builds.delete(file);
    await Promise.all(stale.filter((file) => files.includes(file)).map(load));
  }

  watcher.on("all", (_event, path) => {
    changed.add(path);
    // Editors and git write several files at once, and some files in several steps.
    reloading ??= setTimeout(() => void reload(), 50);
  });
  return {
    routes: () => routes,
    async close() {
      clearTimeout(reloading);
      await watcher.close();
    },
  };
}

async function apiFiles(root: string): Promise<string[]> {
  const files = await readdir(resolve(root, "api"), { recursive: true });
  return files.map((file) => `api/${file.split(sep).join("/")}`);
}

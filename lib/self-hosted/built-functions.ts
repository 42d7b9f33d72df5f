import { readdir, readFile } from "node:fs/promises";
import { register } from "node:module";
import { join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { Cron } from "./cron-scheduler.js";
import type { LoadedFunction } from "./server/invocation.js";
import { routesFromFiles } from "./server/routes.js";
import type { Route } from "./server/server.js";

/** Functions are loaded on first request; identical chunks once, by a process-wide module hook. */
export async function readBuiltFunctions(output: string): Promise<Route[]> {
  register("./shared-chunks.mjs", import.meta.url);
  const functions = join(output, "functions");
  const folders = (await readdir(functions, { recursive: true }))
    .map((path) => path.split(sep).join("/"))
    .filter((path) => path.endsWith(".func") && !path.includes("/node_modules/"));
  const files = folders.map((folder) => folder.replace(/\.func$/, ".js"));
  return routesFromFiles(files).map(({ file, path }) => {
    const folder = join(functions, file.replace(/\.js$/, ".func"));
    let loading: Promise<LoadedFunction> | undefined;
    return {
      path,
      load() {
        loading ??= loadFunction(folder);
        return loading;
      },
    };
  });
}

export async function readBuiltCrons(output: string): Promise<Cron[]> {
  const config = JSON.parse(await readFile(join(output, "config.json"), "utf8"));
  return config.crons ?? [];
}

async function loadFunction(folder: string): Promise<LoadedFunction> {
  const settings = JSON.parse(await readFile(join(folder, ".vc-config.json"), "utf8"));
  const module = await import(pathToFileURL(join(folder, settings.handler)).href);
  return {
    fetch: (request) => module.default.fetch(request),
    maxDuration: settings.maxDuration,
  };
}

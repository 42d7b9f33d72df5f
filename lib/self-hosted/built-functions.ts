import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { memoizeByObject } from "../memoize-by-object.js";
import type { Cron } from "./cron-scheduler.js";
import type { LoadedFunction } from "./server/invocation.js";
import { pathOf } from "./server/routes.js";
import type { Route } from "./server/server.js";

/** An entry of `functions.json`, which is in order of precedence. `entry` is a module beside it; `maxDuration` in seconds. */
export interface ListedFunction {
  file: string;
  entry: string;
  maxDuration?: number;
}

/** Each function is loaded on its first request. */
export async function readBuiltFunctions(folder: string): Promise<Route[]> {
  const listed: ListedFunction[] = JSON.parse(
    await readFile(join(folder, "functions.json"), "utf8"),
  );
  const load = memoizeByObject((one: ListedFunction) => loadFunction(folder, one));
  return listed.map((one) => ({ path: pathOf(one.file), load: () => load(one) }));
}

export async function readBuiltCrons(output: string): Promise<Cron[]> {
  const config = JSON.parse(await readFile(join(output, "config.json"), "utf8"));
  return config.crons ?? [];
}

async function loadFunction(
  folder: string,
  { entry, maxDuration }: ListedFunction,
): Promise<LoadedFunction> {
  const module = await import(pathToFileURL(join(folder, entry)).href);
  return { fetch: (request) => module.default.fetch(request), maxDuration };
}

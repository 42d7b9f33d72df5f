import { readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { bundleOptions } from "../build/bundle.js";
import type { FunctionOutput } from "../build/function-output.js";
import { buildOutput } from "../build/output.js";
import { buildSelfHosted } from "../build/self-hosted.js";
import type { CleanUp } from "./clean-up.js";

/** A project built in a folder of its own, and the programs that serve it when run there. */
export interface BuiltProject {
  folder: string;
  functions: FunctionOutput[];
  /** Options for Node.js itself. */
  flags: string[];
  /** What `backend:start` runs: in-process transports. */
  server: string;
  /** The same functions over the HTTP transports. */
  serverOverHttp: string;
}

export interface Stage {
  folder: string;
  ours: BuiltProject;
  /** Ours, but it tells nobody of its requests. */
  withoutEvents: BuiltProject;
  bare: BuiltProject;
  /** Where the embedded stores of this run are. */
  storesFolder: string;
}

/**
 * Build this project and the bare function, each as `backend:build` does, in a temporary folder: a run
 * disturbs neither the build nor the stores nor the `.env` of whoever works here.
 */
export async function prepareStage(root: string, cleanUp: CleanUp): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), "bench-"));
  cleanUp.later(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const storesFolder = join(folder, "stores");
  await mkdir(storesFolder);
  const silent = await sourceWithoutEvents(root, folder);
  return {
    folder,
    storesFolder,
    ours: await buildProject(root, join(root, "api"), join(folder, "ours"), storesFolder),
    withoutEvents: await buildProject(
      root,
      join(silent, "api"),
      join(folder, "without-events"),
      storesFolder,
      join(silent, "lib"),
    ),
    bare: await buildProject(
      root,
      join(root, "dev/bench/bare/api"),
      join(folder, "bare"),
      storesFolder,
    ),
  };
}

/** A copy of the sources, for imports are followed from where a file really is. */
async function sourceWithoutEvents(root: string, folder: string): Promise<string> {
  const copy = join(folder, "source-without-events");
  for (const name of ["api", "lib"])
    await cp(join(root, name), join(copy, name), { recursive: true });
  for (const name of ["node_modules", "package.json", "vercel.json", "docs"]) {
    await symlink(join(root, name), join(copy, name));
  }
  const standIns = join(root, "dev/bench/without-events");
  await cp(join(standIns, "producer.ts"), join(copy, "lib/telemetry/producer.ts"));
  await cp(join(standIns, "after-reply.ts"), join(copy, "lib/http/after-reply.ts"));
  return copy;
}

async function buildProject(
  root: string,
  api: string,
  folder: string,
  storesFolder: string,
  lib = join(root, "lib"),
): Promise<BuiltProject> {
  await mkdir(folder);
  const links = {
    ...Object.fromEntries(
      ["drizzle", "public", "node_modules", "package.json", "vercel.json"].map((name) => [
        name,
        join(root, name),
      ]),
    ),
    api,
    lib,
    ".local": storesFolder,
  };
  for (const [name, target] of Object.entries(links)) await symlink(target, join(folder, name));
  const { functions } = await buildOutput(folder);
  await buildSelfHosted(folder);
  await buildServerOverHttp(root, folder);
  return {
    folder,
    functions,
    flags: startFlags(root),
    server: join(folder, ".vercel/self-hosted/server.mjs"),
    serverOverHttp: join(folder, ".vercel/self-hosted/over-http.mjs"),
  };
}

/** What `npm run backend:start` gives to Node.js. */
function startFlags(root: string): string[] {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return scripts["backend:start"].split(" ").filter((word: string) => word.startsWith("--"));
}

async function buildServerOverHttp(root: string, folder: string): Promise<void> {
  const entry = { in: join(root, "dev/bench/server-over-http.ts"), out: "over-http" };
  await build({
    ...bundleOptions([entry], join(folder, ".vercel/self-hosted")),
    absWorkingDir: root,
    keepNames: true,
  });
}

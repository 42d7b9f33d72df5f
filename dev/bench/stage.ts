import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
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
  return {
    folder,
    storesFolder,
    ours: await buildProject(root, join(root, "api"), join(folder, "ours"), storesFolder),
    bare: await buildProject(
      root,
      join(root, "dev/bench/bare/api"),
      join(folder, "bare"),
      storesFolder,
    ),
  };
}

async function buildProject(
  root: string,
  api: string,
  folder: string,
  storesFolder: string,
): Promise<BuiltProject> {
  await mkdir(folder);
  const links = {
    ...Object.fromEntries(
      ["lib", "drizzle", "public", "node_modules", "package.json", "vercel.json"].map((name) => [
        name,
        join(root, name),
      ]),
    ),
    api,
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

import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { bundleOptions } from "../build/bundle.js";
import type { FunctionOutput } from "../build/function-output.js";
import { buildOutput } from "../build/output.js";
import { buildSelfHosted } from "../build/self-hosted.js";
import type { CleanUp } from "./clean-up.js";

export interface BuiltProject {
  folder: string;
  functions: FunctionOutput[];
}

export interface Stage {
  folder: string;
  /** For embedded stores. */
  stores: string;
  ours: BuiltProject;
  withoutEvents: BuiltProject;
  bare: BuiltProject;
}

/** What `npm run backend:start` runs, and the same functions over the HTTP transports. */
export const programs = {
  server: ".vercel/self-hosted/server.mjs",
  serverOverHttp: ".vercel/self-hosted/server-over-http.mjs",
};

/** Build in a temporary folder, because the build, the stores and the `.env` of the project may be in use. */
export async function buildStage(cleanUp: CleanUp): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), "bench-"));
  cleanUp.later(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const stores = join(folder, "stores");
  await mkdir(stores);
  const project = async (name: string, addSource: (root: string) => Promise<void>) => {
    const root = join(folder, name);
    await mkdir(root);
    for (const shared of [
      "docs",
      "drizzle",
      "node_modules",
      "package.json",
      "public",
      "vercel.json",
    ])
      await symlink(resolve(shared), join(root, shared));
    await symlink(stores, join(root, ".local"));
    await addSource(root);
    const { functions } = await buildOutput(root);
    await buildSelfHosted(root);
    const entry = { in: resolve("dev/bench/server-over-http.ts"), out: "server-over-http" };
    const options = bundleOptions([entry], join(root, ".vercel/self-hosted"));
    await build({ ...options, absWorkingDir: resolve(".") });
    return { folder: root, functions };
  };
  const linked = (api: string) => async (root: string) => {
    await symlink(resolve(api), join(root, "api"));
    await symlink(resolve("lib"), join(root, "lib"));
  };
  return {
    folder,
    stores,
    ours: await project("ours", linked("api")),
    withoutEvents: await project("without-events", copyWithoutEvents),
    bare: await project("bare", linked("dev/bench/bare/api")),
  };
}

/** A copy, because the imports of a linked file are resolved from its real path. */
async function copyWithoutEvents(root: string): Promise<void> {
  for (const name of ["api", "lib"]) await cp(name, join(root, name), { recursive: true });
  const replacement = await readFile("dev/bench/after-reply-without-events.ts", "utf8");
  const file = join(root, "lib/http/after-reply.ts");
  await writeFile(file, replacement.replaceAll('"../../lib/', '"../'));
}

import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, sep } from "node:path";
import type { Release } from "../../lib/release.js";
import { routesFromFiles } from "../../lib/self-hosted/server/routes.js";
import { type FunctionOutput, writeFunctions } from "./function-output.js";
import { platformConfig, readProjectSettings } from "./platform-config.js";
import { releaseOf } from "./release.js";

/** Replace `.vercel/output` (Build Output API v3): the functions of `api/` and the files of `public/`. */
export async function buildOutput(
  root: string,
): Promise<{ functions: FunctionOutput[]; missing: string[]; release: Release }> {
  const output = join(root, ".vercel/output");
  await rm(output, { recursive: true, force: true });
  await rm(join(root, ".vercel/source-maps"), { recursive: true, force: true });
  await mkdir(output, { recursive: true });
  const paths = await readdir(join(root, "api"), { recursive: true });
  const files = routesFromFiles(paths.map((path) => `api/${path.split(sep).join("/")}`)).map(
    ({ file }) => file,
  );
  const settings = readProjectSettings(await readFile(join(root, "vercel.json"), "utf8"));
  const release = releaseOf(root);
  const result = await writeFunctions(root, files, release);
  await cp(join(root, "public"), join(output, "static"), { recursive: true });
  const config = platformConfig(files, settings);
  await writeFile(join(output, "config.json"), JSON.stringify(config, null, 2));
  return { ...result, release };
}

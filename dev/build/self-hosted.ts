import { rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { bundleOptions } from "./bundle.js";

/**
 * Bundle what runs beside the functions where there is no platform: the server and the migration
 * command, with their drivers, so that a container needs no `node_modules`.
 */
export async function buildSelfHosted(root: string): Promise<void> {
  const outdir = join(root, ".vercel/self-hosted");
  await rm(outdir, { recursive: true, force: true });
  const entries = [
    { in: join(root, "lib/platform/self-hosted/self-hosted.ts"), out: "server" },
    { in: join(root, "lib/platform/self-hosted/migrate.ts"), out: "migrate" },
  ];
  await build({
    ...bundleOptions(entries, outdir),
    // pg asks for its optional native driver inside of a try block.
    external: ["pg-native"],
    absWorkingDir: root,
  });
}

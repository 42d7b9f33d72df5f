import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { bundleOptions } from "./bundle.js";

/** What PGlite reads from beside its own file. */
const postgresFiles = ["pglite.wasm", "pglite.data", "initdb.wasm"];

/**
 * Bundle what runs beside the functions where there is no platform: the server, the migration command
 * and the embedded stores, with their drivers, so that a container needs no `node_modules`.
 */
export async function buildSelfHosted(root: string): Promise<void> {
  const outdir = join(root, ".vercel/self-hosted");
  await rm(outdir, { recursive: true, force: true });
  const source = join(root, "lib/self-hosted");
  const entries = [
    { in: join(source, "self-hosted.ts"), out: "server" },
    { in: join(source, "migrate.ts"), out: "migrate" },
    { in: join(source, "embedded-stores/main.ts"), out: "embedded-stores" },
    { in: join(source, "embedded-stores/postgres-worker.mjs"), out: "postgres-worker" },
  ];
  await build({
    ...bundleOptions(entries, outdir),
    // pg asks for its optional native driver inside of a try block.
    external: ["pg-native"],
    absWorkingDir: root,
  });
  await copyFile(join(source, "shared-chunks.mjs"), join(outdir, "shared-chunks.mjs"));
  const postgres = join(root, "node_modules/@electric-sql/pglite/dist");
  for (const file of postgresFiles) await copyFile(join(postgres, file), join(outdir, file));
}

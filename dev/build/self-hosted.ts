import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { bundleOptions } from "./bundle.js";

/** PGlite reads these files from its own folder. */
const postgresFiles = ["pglite.wasm", "pglite.data", "initdb.wasm"];

/** Bundle the self-hosted server, the migration command and the embedded stores, without `node_modules`. */
export async function buildSelfHosted(root: string): Promise<void> {
  const outdir = join(root, ".vercel/self-hosted");
  await rm(outdir, { recursive: true, force: true });
  const source = join(root, "lib/self-hosted");
  const entries = [
    { in: join(source, "migrate.ts"), out: "migrate" },
    { in: join(source, "backup.ts"), out: "backup" },
    { in: join(source, "embedded-stores/main.ts"), out: "embedded-stores" },
    { in: join(source, "embedded-stores/postgres-worker.mjs"), out: "postgres-worker" },
  ];
  await mkdir(outdir, { recursive: true });
  await writeFile(join(outdir, "server.mjs"), `import "../functions/server.mjs";\n`);
  await build({
    ...bundleOptions(entries, outdir),
    // An optional driver that pg requires in a try block.
    external: ["pg-native"],
    absWorkingDir: root,
  });
  const postgres = join(root, "node_modules/@electric-sql/pglite/dist");
  for (const file of postgresFiles) await copyFile(join(postgres, file), join(outdir, file));
}

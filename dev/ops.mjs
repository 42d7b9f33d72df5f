// Bundling takes longer than any command, so the bundle is kept until one of its sources changes.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { bundleOps, isCurrent } from "./ops-bundle.js";

const kept = join(import.meta.dirname, "../node_modules/.cache/linguamate-ops/ops.mjs");
// `ops … | head` closes stdout early.
const before = `
  import process from "node:process";
  import { loadEnvFile } from "./lib/self-hosted/env-file.js";
  process.stdout.on("error", ({ code }) => process.exit(code === "EPIPE" ? 0 : 1));
  const { OPS_TOKEN } = process.env;
  loadEnvFile();
  // That of the server: only a token that the operator has set is sent.
  if (OPS_TOKEN === undefined) delete process.env.OPS_TOKEN;`;

try {
  const isKept = isCurrent(kept) || (await keep());
  await (isKept ? import(pathToFileURL(kept).href) : runOnce());
} catch (error) {
  console.error(`The CLI cannot start: ${error.message}`);
  process.exitCode = 1;
}

/** False in a read-only checkout. */
async function keep() {
  return bundleOps(kept, before).then(
    () => true,
    () => false,
  );
}

async function runOnce() {
  const directory = mkdtempSync(join(tmpdir(), "linguamate-ops-"));
  try {
    const file = join(directory, "ops.mjs");
    await bundleOps(file, before);
    await import(pathToFileURL(file).href);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

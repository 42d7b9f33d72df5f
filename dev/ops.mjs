// The operators' command line, bundled first: whoever waits for it waits for half as long as when its two
// hundred files are translated one by one. Plain JavaScript, so that nothing needs translating before.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { bundleOps } from "./ops-bundle.js";

const file = join(mkdtempSync(join(tmpdir(), "linguamate-ops-")), "ops.mjs");
await bundleOps(
  file,
  `import { rmSync } from "node:fs";
  import { loadEnvFile } from "./lib/self-hosted/env-file.js";
  // It is loaded whole: nothing is left behind, however the command ends.
  rmSync(import.meta.dirname, { recursive: true });
  loadEnvFile();`,
);
process.setSourceMapsEnabled(true);
await import(pathToFileURL(file).href);

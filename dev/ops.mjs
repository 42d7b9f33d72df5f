// The operators' command line, bundled first: whoever waits for it waits for half as long as when its two
// hundred files are translated one by one. Plain JavaScript, so that nothing needs translating before.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const directory = mkdtempSync(join(tmpdir(), "linguamate-ops-"));
const file = join(directory, "ops.mjs");
await build({
  stdin: {
    contents: `
      import { rmSync } from "node:fs";
      import { loadEnvFile } from "./lib/platform/env-file.js";
      // It is loaded whole: nothing is left behind, however the command ends.
      rmSync(import.meta.dirname, { recursive: true });
      loadEnvFile();
      await import("./lib/ops/cli.js");`,
    resolveDir: join(import.meta.dirname, ".."),
  },
  outfile: file,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  sourcemap: "inline",
  sourcesContent: false,
  logLevel: "error",
  banner: {
    js: `import { createRequire as __createRequire } from "node:module";
const require = __createRequire(${JSON.stringify(import.meta.url)});`,
  },
});
process.setSourceMapsEnabled(true);
await import(pathToFileURL(file).href);

import { join } from "node:path";
import { build } from "esbuild";

/** Bundle the operators' CLI into one file, which starts with the statements `before`. */
export async function bundleOps(outfile, before = "") {
  await build({
    stdin: {
      contents: `${before}\nawait import("./lib/cli/ops.js");`,
      resolveDir: join(import.meta.dirname, ".."),
    },
    outfile,
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
}

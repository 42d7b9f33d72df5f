import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { BuildOptions, Plugin } from "esbuild";
import { withoutNeonSocketClient } from "./neon-driver.js";
import { withoutJsonSchemaMethods, withoutUnusedFiles } from "./unused-code.js";

/** Packages with a compiled binary. They are not bundled, but installed beside the bundle. */
export const nativePackages = ["@node-rs/argon2"] as const;

const { resolve } = createRequire(import.meta.url);
const vercelFunctions = dirname(resolve("@vercel/functions"));

/** Names that bundled CommonJS packages need and ES modules do not have. */
const commonJsNames = [
  'const require=process.getBuiltinModule("module").createRequire(import.meta.url)',
  "__filename=import.meta.filename,__dirname=import.meta.dirname;",
].join(",");

/**
 * ES modules, because 600 KB load in 65 ms of CPU on Node.js 20. A CommonJS file takes 55 ms with `require`
 * and 150 ms with `import`, and the platform decides which one is used.
 */
export function bundleOptions(entries: { in: string; out: string }[], outdir: string) {
  return {
    entryPoints: entries,
    outdir,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    outExtension: { ".js": ".mjs" },
    mainFields: ["module", "main"],
    banner: { js: commonJsNames },
    legalComments: "none",
    plugins: [
      nativePackagesByRequire,
      withoutUnusedFiles,
      withoutNeonSocketClient,
      withoutJsonSchemaMethods,
    ],
    alias: {
      // The package's other functions, 18 KB, are for sockets, caches and OIDC.
      "@vercel/functions": join(vercelFunctions, "wait-until.js"),
      // The ES module, which package.json does not name, without the limiters for several regions.
      "@upstash/ratelimit": resolve("@upstash/ratelimit").replace(/\.js$/, ".mjs"),
    },
    logLevel: "silent",
  } satisfies BuildOptions;
}

/** `import` of a native CommonJS package parses it for its exports, 12 ms of CPU. `require` does not. */
const nativePackagesByRequire: Plugin = {
  name: "native-packages-by-require",
  setup(build) {
    const filter = new RegExp(`^(${nativePackages.join("|")})$`);
    const namespace = "native";
    build.onResolve({ filter }, (found) =>
      found.namespace === namespace
        ? { path: found.path, external: true }
        : { path: found.path, namespace },
    );
    build.onLoad({ filter, namespace }, ({ path }) => ({
      contents: `module.exports = require("${path}");`,
    }));
  },
};

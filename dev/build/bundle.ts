import type { BuildOptions, Plugin } from "esbuild";

/** Packages that load a compiled binary: they stay outside of bundles and are installed beside them. */
export const nativePackages = ["@node-rs/argon2"] as const;

/** What bundled CommonJS packages expect to find, and ES modules do not have. */
const commonJsNames = [
  'import{createRequire as __createRequire}from"node:module"',
  "const require=__createRequire(import.meta.url)",
  "const __filename=import.meta.filename,__dirname=import.meta.dirname;",
].join(";");

/**
 * How code is bundled: ES modules with everything in them but `nativePackages`.
 *
 * ES modules, because of 600 KB they load in 65 ms of CPU on Node.js 20 whoever imports them; a CommonJS
 * file takes 55 ms by `require` and 150 ms by `import`, which is the platform's choice and not ours.
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
    plugins: [nativePackagesByRequire],
    logLevel: "silent",
  } satisfies BuildOptions;
}

/**
 * Native packages are CommonJS: an `import` of one from outside of the bundle has its exports found by
 * parsing, which takes 12 ms of CPU; `require` does not need to know them.
 */
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

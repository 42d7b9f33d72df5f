import { readFile } from "node:fs/promises";
import { type Plugin, transform } from "esbuild";
import { packageFiles } from "./package-files.js";

/**
 * The driver is one minified file. Its client over WebSockets (`Client`, `Pool`) and its polyfills for browsers are never
 * used. esbuild leaves them out if it knows which calls have no effect.
 */
export const withoutNeonSocketClient: Plugin = {
  name: "without-neon-socket-client",
  setup(build) {
    const filter = packageFiles(["@neondatabase/serverless/index.mjs"]);
    build.onLoad({ filter }, async ({ path }) => ({
      contents: await treeShakable(await readFile(path, "utf8")),
    }));
  },
};

/** Throws if the file does not have the expected shape, for example in a new version. */
export async function treeShakable(source: string): Promise<string> {
  // The file is wrapped at 100 characters.
  let { code } = await transform(source, { minifyWhitespace: true, legalComments: "none" });
  for (const [pattern, replacement, times = 1] of changes) {
    const found = code.match(pattern)?.length ?? 0;
    if (found !== times) {
      throw new Error(`@neondatabase/serverless contains ${pattern} ${found} times, not ${times}.`);
    }
    code = code.replace(pattern, replacement);
  }
  return `import*as __crypto from"node:crypto";import*as __events from"node:events";${code}`;
}

const noSideEffects = "const $1=/*@__NO_SIDE_EFFECTS__*/$2";

const changes: [pattern: RegExp, replacement: string, times?: number][] = [
  // The functions that make a lazy CommonJS module or ES module, and the one that names a function.
  [/var (\w+)=(\(r,e\)=>\(\)=>\{try\{return e\|\|r\(\(e=\{exports:)/g, noSideEffects],
  [/var (\w+)=(\(r,e,t\)=>\(\)=>\{if\(t\)throw t\[0\])/g, noSideEffects],
  [/var (\w+)=(\(r,e\)=>\w+\(r,"name",)/g, noSideEffects],
  // Imports and exports of lazy modules.
  [/(?<=[ ,]\w+=)(\w+)\((\w+)\(\)\)(?=[,;])/g, "/*@__PURE__*/$1(/*@__PURE__*/$2())", 7],
  [/(this\.types=(\w+)\(\).*var export_types=)\w+\.types;/gs, "$1$2();"],
  [/(?<=var export_\w+=)\w+\.\w+(?=;)/g, "/*@__PURE__*/(()=>$&)()", 4],
  // `Client` and `Pool`.
  [
    /var (\w+)=(class \w+ extends \w+\.(?:Client|Pool)\{.*?\})(?=;\w+\(\1,"Neon)/gs,
    "var $1=/*@__PURE__*/(()=>$2)()",
    2,
  ],
  // Polyfills of Buffer, node:events and node:crypto.
  [/(?<=globalThis\.Buffer:)\w+\(\)\.Buffer/g, "void 0"],
  [/\w+\(\w+\(\),1\)(?=;.{0,80} extends \w+\.EventEmitter\b)/g, "__events"],
  [/\w+\(\w+,\{createHash:[^}]*\}\);/g, ""],
  [
    /(?<=var \w+=)\(\w+\(\),\w+\(\w+\)\)(?=,\w+=\w+\(\);function \w+\(r\)\{var e=r\.replace\()/g,
    "__crypto",
  ],
];

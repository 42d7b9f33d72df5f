import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";

const root = join(import.meta.dirname, "..");

/** Bundle the operators' CLI into one file, which starts with the statements `before`. Its first line names its sources. */
export async function bundleOps(outfile, before = "") {
  // Loaded only here: it takes longer than a current bundle needs to run.
  const { build } = await import("esbuild");
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: `${before}\nawait import("./lib/cli/ops.js");`,
      resolveDir: root,
    },
    absWorkingDir: root,
    write: false,
    metafile: true,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    logLevel: "silent",
    minifyWhitespace: true,
    minifySyntax: true,
    plugins: [onlyWhatIsUsed],
    banner: {
      js: `import { createRequire as __createRequire } from "node:module";
const require = __createRequire(${JSON.stringify(import.meta.url)});`,
    },
  });
  const used = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
  const own = used.filter((file) => !/node_modules|<stdin>/.test(file));
  const packages = new Set(
    used.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []),
  );
  // The lock file stands for node_modules.
  const sources = ["package-lock.json", "dev/ops-bundle.js", ...own];
  const header = JSON.stringify({ sources, packages: [...packages], hash: hashOf(sources) });
  mkdirSync(dirname(outfile), { recursive: true });
  // Renamed: another command may be reading the file.
  writeFileSync(`${outfile}.${process.pid}`, `// ${header}\n${outputFiles[0]?.text}`);
  renameSync(`${outfile}.${process.pid}`, outfile);
}

/** Whether the bundle exists and its sources are unchanged. */
export function isCurrent(outfile) {
  try {
    const [header = ""] = readFileSync(outfile, "utf8").split("\n", 1);
    const { sources, hash } = JSON.parse(header.slice("// ".length));
    return hashOf(sources) === hash;
  } catch {
    return false;
  }
}

function hashOf(sources) {
  const hash = createHash("sha256");
  for (const source of sources) hash.update(readFileSync(join(root, source))).update("\0");
  return hash.digest("hex");
}

/** The CLI imports schemas from modules of the server: without this, these modules' imports would be bundled too. */
const onlyWhatIsUsed = {
  name: "only-what-is-used",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^\.\.?\// }, async ({ path, pluginData, ...from }) => {
      if (pluginData === onlyWhatIsUsed || from.importer.includes("node_modules")) return undefined;
      const found = await resolve(path, { ...from, pluginData: onlyWhatIsUsed });
      return { ...found, sideEffects: path.endsWith("/cli/ops.js") };
    });
  },
};

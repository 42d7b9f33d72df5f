import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildFailure, build, formatMessages } from "esbuild";
import type { LoadedFunction } from "../../lib/self-hosted/server/invocation.js";
import { bundleOptions } from "../build/bundle.js";

/** One build of one function of `api/`. */
export class FunctionBuild {
  readonly loaded: Promise<LoadedFunction>;
  /** The absolute paths of the project's files in this build, once it is built. */
  inputs: readonly string[] = [];
  #isBroken = false;

  /** Never rejects: a function that cannot be built or loaded answers 500 with the error. */
  constructor(
    private readonly root: string,
    private readonly file: string,
    print: (text: string) => void,
  ) {
    this.loaded = this.#load().catch(async (error) => {
      this.#isBroken = true;
      const text = `${file} cannot be loaded.\n\n${await explained(error)}`;
      print(text);
      return { fetch: () => new Response(text, { status: 500 }) };
    });
  }

  /** Any file may repair a broken build, because its missing imports are unknown. */
  dependsOn(paths: ReadonlySet<string>): boolean {
    return this.#isBroken || this.inputs.some((input) => paths.has(input));
  }

  async #load(): Promise<LoadedFunction> {
    // A new name each time, because Node.js caches modules by URL.
    const name = randomUUID();
    const outdir = resolve(this.root, ".local/functions");
    const { metafile } = await build({
      ...bundleOptions([{ in: resolve(this.root, this.file), out: name }], outdir),
      absWorkingDir: this.root,
      // Packages are loaded once for all functions. Bundled, they take 50 MB per function.
      packages: "external",
      metafile: true,
      sourcemap: "inline",
      sourcesContent: false,
    });
    this.inputs = Object.keys(metafile.inputs)
      .filter((input) => !/(^|\/)node_modules\//.test(input))
      .map((input) => resolve(this.root, input));
    const output = resolve(outdir, `${name}.mjs`);
    try {
      const module = await import(pathToFileURL(output).href);
      if (typeof module.default?.fetch !== "function") {
        throw new Error("Its default export has no fetch(request).");
      }
      return {
        fetch: (request) => module.default.fetch(request),
        maxDuration: module.config?.maxDuration,
      };
    } finally {
      await rm(output);
    }
  }
}

async function explained(error: unknown): Promise<string> {
  if (isBuildFailure(error)) {
    return (await formatMessages(error.errors, { kind: "error" })).join("");
  }
  return error instanceof Error ? `${error.stack}` : String(error);
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && "errors" in error && Array.isArray(error.errors);
}

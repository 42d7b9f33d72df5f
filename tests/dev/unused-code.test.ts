import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { bundleOptions } from "../../dev/build/bundle.js";
import { packageFiles } from "../../dev/build/package-files.js";

const source = `
  import * as z from "zod";
  export { z };`;

describe("packages in a bundle", () => {
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  let bundled: { z: typeof z };

  beforeAll(async () => {
    const { entryPoints: _, outdir: __, outExtension: ___, ...options } = bundleOptions([], folder);
    const outfile = join(folder, "zod.mjs");
    await build({ ...options, stdin: { contents: source, resolveDir: process.cwd() }, outfile });
    bundled = await import(pathToFileURL(outfile).href);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("convert a schema to JSON Schema as the package does", () => {
    const convert = ({ toJSONSchema, ...zod }: typeof z) =>
      toJSONSchema(
        zod.strictObject({
          id: zod.uuid(),
          email: zod.email().max(254),
          count: zod.int().min(1).default(2),
          kind: zod.enum(["a", "b"]).optional(),
          tags: zod.array(zod.string().regex(/^a/)).max(3).nullable(),
          at: zod.iso.datetime(),
          either: zod.union([zod.literal(1), zod.record(zod.string(), zod.boolean())]),
          piped: zod.string().transform(Number).pipe(zod.number()).readonly(),
          later: zod.lazy(() => zod.tuple([zod.null(), zod.unknown()])),
          exact: zod.string().exactOptional(),
          caught: zod.number().catch(1),
        }),
        { io: "input" },
      );
    expect(convert(bundled.z)).toEqual(convert(z));
  });

  it("are not built when a file to be changed was renamed", async () => {
    const changing: Plugin = {
      name: "changing",
      setup: (plugin) =>
        plugin.onLoad({ filter: packageFiles(["pino/pino.js", "pino/renamed.js"]) }, () => null),
    };
    const options = { stdin: { contents: "" }, write: false, plugins: [changing] };
    await expect(build({ ...options, logLevel: "silent" })).rejects.toThrow(
      "pino/renamed.js does not exist.",
    );
  });
});

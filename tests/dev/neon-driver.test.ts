import { mkdtempSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as driver from "@neondatabase/serverless";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { treeShakable, withoutNeonSocketClient } from "../../dev/build/neon-driver.js";

type Driver = Pick<typeof driver, "neon" | "neonConfig" | "types" | "NeonDbError">;

const file = createRequire(import.meta.url)
  .resolve("@neondatabase/serverless")
  .replace(/\.js$/, ".mjs");

describe("the Neon driver in a bundle", () => {
  const folder = mkdtempSync(join(tmpdir(), "neon-"));
  const bundle = join(folder, "driver.mjs");
  let bundled: Driver;

  beforeAll(async () => {
    const contents = `export { neon, neonConfig, types, NeonDbError } from "@neondatabase/serverless";`;
    await build({
      stdin: { contents, resolveDir: process.cwd() },
      outfile: bundle,
      bundle: true,
      minify: true,
      platform: "node",
      format: "esm",
      plugins: [withoutNeonSocketClient],
    });
    bundled = await import(pathToFileURL(bundle).href);
  });
  afterAll(() => {
    driver.neonConfig.fetchFunction = undefined;
    rmSync(folder, { recursive: true });
  });

  it("does not contain the client over WebSockets and the polyfills", () => {
    expect(statSync(bundle).size).toBeLessThan(40_000);
  });

  it("sends the same requests and reads the same values as the package", async () => {
    const values = [
      ["1", 20],
      ["7", 23],
      ["1.5", 701],
      ["t", 16],
      ['{"a":[1]}', 3802],
      ["\\x00ff", 17],
      ["{1,2,NULL}", 1007],
      ['{"a b",c}', 1009],
      ["2024-02-29 12:34:56.789+00", 1184],
      ["1 day 02:03:04", 1186],
      ["(1,2)", 600],
      [null, 25],
    ] as const;
    const rows = {
      command: "SELECT",
      rowCount: 1,
      fields: values.map(([, dataTypeID], at) => ({ name: `c${at}`, dataTypeID })),
      rows: [values.map(([value]) => value)],
    };
    const ask = async ({ neon, neonConfig }: Driver) => {
      const sent: unknown[] = [];
      neonConfig.fetchFunction = async (...request: unknown[]) => {
        sent.push(request);
        return Response.json(rows);
      };
      const sql = neon("postgresql://ada:secret@db.example.com/app");
      const params = [1, "x", null, true, new Date(0), Buffer.from([0, 255]), { a: 1 }, [1, "b"]];
      return [await sql.query("select $1", params), await sql`select ${1}`, sent];
    };
    expect(await ask(bundled)).toEqual(await ask(driver));
  });

  it("rejects with the error that Postgres reports", async () => {
    bundled.neonConfig.fetchFunction = async () =>
      Response.json({ message: "duplicate key", code: "23505" }, { status: 400 });
    const failure = bundled.neon("postgresql://a:b@c.example.com/d")`select 1`;
    await expect(failure).rejects.toBeInstanceOf(bundled.NeonDbError);
    await expect(failure).rejects.toMatchObject({ code: "23505", name: "NeonDbError" });
  });

  it("uses the parsers that are set for types", async () => {
    bundled.types.setTypeParser(1114, (value) => `raw ${value}`);
    bundled.neonConfig.fetchFunction = async () =>
      Response.json({ fields: [{ name: "at", dataTypeID: 1114 }], rows: [["2024-01-01"]] });
    expect(await bundled.neon("postgresql://a:b@c.example.com/d")`select 1`).toEqual([
      { at: "raw 2024-01-01" },
    ]);
  });

  it("is not built from a file of another shape", async () => {
    const source = await readFile(file, "utf8");
    const changed = source.replace("NeonPool", "OtherPool");
    await expect(treeShakable(changed)).rejects.toThrow(/@neondatabase\/serverless contains/);
    await expect(treeShakable("export const neon = 1;")).rejects.toThrow();
  });
});

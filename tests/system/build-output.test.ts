import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FunctionOutput } from "../../dev/build/function-output.js";
import { buildOutput } from "../../dev/build/output.js";

const files = {
  "api/index.ts": `export default { fetch: () => Response.json({ status: "ok" }) };`,
  "api/hash.ts": `
    import { hash } from "@node-rs/argon2";
    export const config = { maxDuration: 25 };
    export default { fetch: async () => new Response(await hash("correct horse")) };`,
  "api/query/[id].ts": `
    import { neon } from "@neondatabase/serverless";
    import { drizzle } from "drizzle-orm/neon-http";
    import { pino } from "pino";
    import * as z from "zod";
    import { secretOfLib } from "../../lib/env.js";
    const schema = z.strictObject({ id: z.string() });
    const log = pino({ level: "info" });
    export default { fetch: (request) => Response.json([schema.parse({ id: request.url }), typeof drizzle, typeof neon, typeof log.info, secretOfLib]) };`,
  "api/late.ts": `
    import { secretOfLib } from "../lib/env.js";
    const origin = async () => (await import("../lib/observability/sentry.js")).origin();
    export default { fetch: async () => new Response(await origin() + secretOfLib) };`,
  "lib/observability/sentry.ts": `
    import { NodeClient } from "@sentry/serverless";
    export const origin = () => NodeClient.name.length > 0 ? "loaded late from " : "";`,
  "api/_shared.ts": "export const notARoute = 1;",
  "lib/env.ts": `export const secretOfLib = "lib";`,
  "drizzle/0001_first.sql": "select 1;",
  ".env": "JWT_SECRET=x",
  "package.json": `{ "type": "module" }`,
  "public/robots.txt": "User-agent: *",
  "vercel.json": `{ "framework": null, "crons": [{ "path": "/api/hash", "schedule": "0 * * * *" }] }`,
};

const isChunk = (file: string) => /(^|\/)chunk-\w+\.mjs$/.test(file);

describe("the build output", () => {
  const root = mkdtempSync(join(tmpdir(), "build-"));
  const output = join(root, ".vercel/output");
  let functions: FunctionOutput[];
  const all = () =>
    readdirSync(output, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(output.length + 1));

  beforeAll(async () => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    symlinkSync(resolve("node_modules"), join(root, "node_modules"));
    ({ functions } = await buildOutput(root));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it("contains functions, static files and the configuration, and no other project file", () => {
    expect(
      all()
        .filter((file) => !file.includes("node_modules/") && !isChunk(file))
        .sort(),
    ).toEqual([
      "config.json",
      "functions/api/hash.func/.vc-config.json",
      "functions/api/hash.func/index.mjs",
      "functions/api/hash.func/release.json",
      "functions/api/index.func/.vc-config.json",
      "functions/api/index.func/index.mjs",
      "functions/api/index.func/release.json",
      "functions/api/late.func/.vc-config.json",
      "functions/api/late.func/index.mjs",
      "functions/api/late.func/release.json",
      "functions/api/query/[id].func/.vc-config.json",
      "functions/api/query/[id].func/index.mjs",
      "functions/api/query/[id].func/release.json",
      "static/robots.txt",
    ]);
  });

  it("limits each function to 1 MB of JavaScript, with source maps in a separate folder", () => {
    const folder = join(output, "functions/api/query/[id].func");
    const scripts = readdirSync(folder).filter((file) => file.endsWith(".mjs"));
    const bytes = scripts.map((file) => statSync(join(folder, file)).size);
    expect(bytes.reduce((total, each) => total + each)).toBeLessThan(1_000_000);
    const maps = join(root, ".vercel/source-maps");
    for (const file of scripts) {
      expect(readFileSync(join(folder, file), "utf8")).not.toContain("sourceMappingURL");
      const map = isChunk(file) ? file : `api/query/[id].func/${file}`;
      expect(existsSync(join(maps, `${map}.map`))).toBe(true);
    }
  });

  it("copies shared chunks into each function, under names with a content hash", () => {
    const chunksOf = (name: string) =>
      readdirSync(join(output, "functions/api", name)).filter(isChunk);
    const shared = chunksOf("query/[id].func").filter((file) =>
      chunksOf("late.func").includes(file),
    );
    expect(shared.length).toBeGreaterThan(0);
    for (const file of shared) {
      const copies = ["query/[id].func", "late.func"].map((name) =>
        readFileSync(join(output, "functions/api", name, file), "utf8"),
      );
      expect(copies[0]).toBe(copies[1]);
    }
  });

  it("puts dynamic imports into chunks beside the function, not into its entry file", () => {
    const folder = join(output, "functions/api/late.func");
    const entry = readFileSync(join(folder, "index.mjs"), "utf8");
    const [, late = ""] = /import\("\.\/(chunk-\w+\.mjs)"\)/.exec(entry) ?? [];
    const { size } = statSync(join(folder, late));
    expect(entry.length).toBeLessThan(2000);
    expect(size).toBeGreaterThan(100_000);
    expect(size).toBeLessThan(500_000);
  });

  it("reports the bytes of each function by package, also of chunks loaded late", () => {
    for (const { file, bytes, bytesByPackage } of functions) {
      const folder = join(output, "functions", file.replace(/\.ts$/, ".func"));
      const deployed = readdirSync(folder)
        .filter((name) => name.endsWith(".mjs"))
        .map((name) => statSync(join(folder, name)).size);
      const total = deployed.reduce((sum, size) => sum + size, 0);
      const reported = Object.values(bytesByPackage).reduce((sum, size) => sum + size, 0);
      expect(reported, file).toBe(total);
      expect(bytes, file).toBeLessThanOrEqual(total);
      expect(bytesByPackage["own code"], file).toBeGreaterThan(0);
    }
    const late = functions.find(({ file }) => file === "api/late.ts");
    expect(late?.bytesByPackage["@sentry/node"]).toBeGreaterThan(late?.bytes ?? 0);
  });

  it("includes Linux binaries of native packages only in the functions that import them", () => {
    const binaries = all().filter((file) => file.endsWith(".node"));
    expect(binaries.every((file) => file.startsWith("functions/api/hash.func/"))).toBe(true);
    const machines = binaries.map((file) => {
      const header = readFileSync(join(output, file)).subarray(0, 20);
      expect(header.subarray(0, 5).toString("latin1")).toBe("\x7fELF\x02");
      return header.readUInt16LE(18);
    });
    const [x64, arm64] = [62, 183];
    expect(machines).toContain(x64);
    expect([x64, arm64]).toEqual(expect.arrayContaining(machines));
  });

  it("writes the runtime configuration of each function, with its maxDuration", () => {
    const settings = (name: string) =>
      JSON.parse(readFileSync(join(output, `functions/api/${name}.func/.vc-config.json`), "utf8"));
    expect(settings("index")).toEqual({
      handler: "index.mjs",
      runtime: "nodejs22.x",
      launcherType: "Nodejs",
      shouldAddHelpers: false,
      supportsResponseStreaming: true,
    });
    expect(settings("hash").maxDuration).toBe(25);
  });

  it("makes each function run from its own folder, without the rest of the project", () => {
    const folder = mkdtempSync(join(tmpdir(), "function-"));
    const answer = (name: string) => {
      execFileSync("cp", ["-r", join(output, "functions/api", name), join(folder, "f.func")]);
      const script = `const { default: f } = await import("./f.func/index.mjs");
        console.log(await (await f.fetch(new Request("http://a/b"))).text());`;
      const text = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
        cwd: folder,
      });
      rmSync(join(folder, "f.func"), { recursive: true });
      return text.toString().trim();
    };
    expect(answer("index.func")).toBe('{"status":"ok"}');
    expect(answer("late.func")).toBe("loaded late from lib");
    expect(answer("hash.func")).toMatch(/^\$argon2id\$/);
    expect(answer("query/[id].func")).toBe(
      '[{"id":"http://a/b"},"function","function","function","lib"]',
    );
    rmSync(folder, { recursive: true });
  });
});

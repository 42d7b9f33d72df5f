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
    const told = async () => (await import("../lib/observability/sentry.js")).told();
    export default { fetch: async () => new Response(await told()) };`,
  "lib/observability/sentry.ts": `
    import { NodeClient } from "@sentry/serverless";
    export const told = () => NodeClient.name.length > 0 ? "loaded late" : "";`,
  "api/_shared.ts": "export const notARoute = 1;",
  "lib/env.ts": `export const secretOfLib = "lib";`,
  "drizzle/0001_first.sql": "select 1;",
  ".env": "JWT_SECRET=x",
  "package.json": `{ "type": "module" }`,
  "public/robots.txt": "User-agent: *",
  "vercel.json": `{ "framework": null, "crons": [{ "path": "/api/hash", "schedule": "0 * * * *" }] }`,
};

describe("the build's output", () => {
  const root = mkdtempSync(join(tmpdir(), "build-"));
  const output = join(root, ".vercel/output");
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
    await buildOutput(root);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it("holds functions, static files and the configuration, and no other file of the project", () => {
    expect(
      all()
        .filter((file) => !file.includes("node_modules/"))
        .sort(),
    ).toEqual([
      "config.json",
      "functions/api/hash.func/.vc-config.json",
      "functions/api/hash.func/index.mjs",
      "functions/api/index.func/.vc-config.json",
      "functions/api/index.func/index.mjs",
      "functions/api/late.func/.vc-config.json",
      "functions/api/late.func/index.mjs",
      "functions/api/late.func/sentry.mjs",
      "functions/api/query/[id].func/.vc-config.json",
      "functions/api/query/[id].func/index.mjs",
      "static/robots.txt",
    ]);
  });

  it("has each function in one JavaScript file of at most 1 MB, without its source map", () => {
    const bundle = join(output, "functions/api/query/[id].func/index.mjs");
    expect(statSync(bundle).size).toBeLessThan(1_000_000);
    expect(readFileSync(bundle, "utf8")).not.toContain("sourceMappingURL");
    expect(existsSync(join(root, ".vercel/source-maps/api/query/[id].func/index.mjs.map"))).toBe(
      true,
    );
  });

  it("puts what is loaded late beside the functions that load it, and keeps it out of them", () => {
    const sizeOf = (file: string) => statSync(join(output, "functions/api/late.func", file)).size;
    expect(sizeOf("index.mjs")).toBeLessThan(2000);
    expect(sizeOf("sentry.mjs")).toBeGreaterThan(100_000);
    expect(sizeOf("sentry.mjs")).toBeLessThan(500_000);
  });

  it("gives native packages to the functions that import them, as binaries of Linux", () => {
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

  it("states how the platform runs a function, with the duration that its file asks for", () => {
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

  it("runs each function from its own folder alone", () => {
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
    expect(answer("late.func")).toBe("loaded late");
    expect(answer("hash.func")).toMatch(/^\$argon2id\$/);
    expect(answer("query/[id].func")).toBe(
      '[{"id":"http://a/b"},"function","function","function","lib"]',
    );
    rmSync(folder, { recursive: true });
  });
});

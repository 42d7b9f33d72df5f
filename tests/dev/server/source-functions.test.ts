import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type SourceFunctions, watchFunctions } from "../../../dev/server/source-functions.js";

let root: string;
let printed: string[];
let functions: SourceFunctions;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "functions-"));
  printed = [];
  write("lib/greeting.ts", 'export const greeting: string = "hello";');
  write("api/index.ts", answering('"index"'));
  write("api/hello.ts", `import { greeting } from "../lib/greeting.js"; ${answering("greeting")}`);
  write("lib/counter.ts", "export const counter = { calls: 0 };");
  for (const file of ["api/count.ts", "api/count-too.ts"]) {
    write(
      file,
      `import { counter } from "../lib/counter.js"; ${answering("String(++counter.calls)")}`,
    );
  }
  functions = await watchFunctions(root, (text) => printed.push(text));
});
afterEach(async () => {
  await functions.close();
  rmSync(root, { recursive: true });
});

function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

function answering(expression: string): string {
  return `export default { fetch: () => new Response(${expression}) };`;
}

/** What the function of a path answers, or undefined where there is no route. */
async function answer(path: string): Promise<string | undefined> {
  const route = functions.routes().find((one) => one.path === path);
  const loaded = await route?.load();
  const response = await loaded?.fetch(new Request("http://localhost/"));
  return response && `${response.status} ${await response.text()}`;
}

describe("functions served from source", () => {
  it("are the files of api/", async () => {
    expect(functions.routes().map(({ path }) => path)).toEqual(
      expect.arrayContaining(["/api", "/api/hello"]),
    );
    expect(await answer("/api/hello")).toBe("200 hello");
  });

  it("are what they were until something changes", async () => {
    expect(await answer("/api/count")).toBe("200 1");
    expect(await answer("/api/count")).toBe("200 2");
  });

  it("have a module scope of their own", async () => {
    expect(await answer("/api/count")).toBe("200 1");
    expect(await answer("/api/count-too")).toBe("200 1");
  });

  it("are built again when something that they import changes", async () => {
    expect(await answer("/api/hello")).toBe("200 hello");

    write("lib/greeting.ts", 'export const greeting = "good evening";');

    await vi.waitFor(async () => expect(await answer("/api/hello")).toBe("200 good evening"), 5000);
  });

  it("come and go with their files", async () => {
    write("api/user/[id].ts", answering('"new"'));
    await vi.waitFor(async () => expect(await answer("/api/user/[id]")).toBe("200 new"), 5000);

    rmSync(join(root, "api/user/[id].ts"));
    await vi.waitFor(async () => expect(await answer("/api/user/[id]")).toBeUndefined(), 5000);
  });

  it("say what is wrong with them, alone, until it is mended", async () => {
    write("api/hello.ts", "export default {");
    await vi.waitFor(async () => expect(await answer("/api/hello")).toMatch(/^500 /), 5000);

    expect(await answer("/api/hello")).toMatch(
      /api\/hello\.ts cannot be loaded.*found end of file/s,
    );
    expect(printed.join()).toContain("found end of file");
    expect(await answer("/api")).toBe("200 index");

    write("api/hello.ts", answering('"mended"'));
    await vi.waitFor(async () => expect(await answer("/api/hello")).toBe("200 mended"), 5000);
  });

  it("come back when a file appears that they missed", async () => {
    write("api/late.ts", `import { late } from "../lib/late.js"; ${answering("late")}`);
    await vi.waitFor(async () => expect(await answer("/api/late")).toMatch(/^500 /), 5000);

    write("lib/late.ts", 'export const late = "better than never";');

    await vi.waitFor(
      async () => expect(await answer("/api/late")).toBe("200 better than never"),
      5000,
    );
  });

  it("say so when they throw as they load, or export no fetch", async () => {
    write("api/throws.ts", 'throw new Error("no luck");');
    write("api/empty.ts", "export const nothing = 1;");

    await vi.waitFor(
      async () => expect(await answer("/api/throws")).toMatch(/^500 .*no luck/s),
      5000,
    );
    await vi.waitFor(
      async () => expect(await answer("/api/empty")).toMatch(/^500 .*no fetch/s),
      5000,
    );
  });

  it("carry the duration that they may take", async () => {
    write("api/slow.ts", `export const config = { maxDuration: 7 }; ${answering('""')}`);
    await vi.waitFor(async () => expect(await answer("/api/slow")).toBe("200 "), 5000);

    const slow = functions.routes().find(({ path }) => path === "/api/slow");
    expect((await slow?.load())?.maxDuration).toBe(7);
  });
});

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
  write("api/index.ts", replyingWith('"index"'));
  write(
    "api/hello.ts",
    `import { greeting } from "../lib/greeting.js"; ${replyingWith("greeting")}`,
  );
  write("lib/counter.ts", "export const counter = { calls: 0 };");
  for (const file of ["api/count.ts", "api/count-too.ts"]) {
    write(
      file,
      `import { counter } from "../lib/counter.js"; ${replyingWith("String(++counter.calls)")}`,
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

function replyingWith(expression: string): string {
  return `export default { fetch: () => new Response(${expression}) };`;
}

/** The reply of the function at a path, or undefined without a route. */
async function answer(path: string): Promise<string | undefined> {
  const route = functions.routes().find((one) => one.path === path);
  const loaded = await route?.load();
  const response = await loaded?.fetch(new Request("http://localhost/"));
  return response && `${response.status} ${await response.text()}`;
}

describe("watchFunctions", () => {
  it("serves the files of api/", async () => {
    expect(functions.routes().map(({ path }) => path)).toEqual(
      expect.arrayContaining(["/api", "/api/hello"]),
    );
    expect(await answer("/api/hello")).toBe("200 hello");
  });

  it("loads a function once while its files do not change", async () => {
    expect(await answer("/api/count")).toBe("200 1");
    expect(await answer("/api/count")).toBe("200 2");
  });

  it("gives each function its own module scope", async () => {
    expect(await answer("/api/count")).toBe("200 1");
    expect(await answer("/api/count-too")).toBe("200 1");
  });

  it("rebuilds a function when an imported file changes", async () => {
    expect(await answer("/api/hello")).toBe("200 hello");

    write("lib/greeting.ts", 'export const greeting = "good evening";');

    await vi.waitFor(async () => expect(await answer("/api/hello")).toBe("200 good evening"), 5000);
  });

  it("adds and removes routes with their files", async () => {
    write("api/user/[id].ts", replyingWith('"new"'));
    await vi.waitFor(async () => expect(await answer("/api/user/[id]")).toBe("200 new"), 5000);

    rmSync(join(root, "api/user/[id].ts"));
    await vi.waitFor(async () => expect(await answer("/api/user/[id]")).toBeUndefined(), 5000);
  });

  it("returns 500 with the error for a broken function only, until it is fixed", async () => {
    write("api/hello.ts", "export default {");
    await vi.waitFor(async () => expect(await answer("/api/hello")).toMatch(/^500 /), 5000);

    expect(await answer("/api/hello")).toMatch(
      /api\/hello\.ts cannot be loaded.*found end of file/s,
    );
    expect(printed.join()).toContain("found end of file");
    expect(await answer("/api")).toBe("200 index");

    write("api/hello.ts", replyingWith('"fixed"'));
    await vi.waitFor(async () => expect(await answer("/api/hello")).toBe("200 fixed"), 5000);
  });

  it("rebuilds a function when its missing import is created", async () => {
    write("api/late.ts", `import { late } from "../lib/late.js"; ${replyingWith("late")}`);
    await vi.waitFor(async () => expect(await answer("/api/late")).toMatch(/^500 /), 5000);

    write("lib/late.ts", 'export const late = "better than never";');

    await vi.waitFor(
      async () => expect(await answer("/api/late")).toBe("200 better than never"),
      5000,
    );
  });

  it("returns 500 for a function that throws while loading, or exports no fetch", async () => {
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

  it("reads maxDuration from the function", async () => {
    write("api/slow.ts", `export const config = { maxDuration: 7 }; ${replyingWith('""')}`);
    await vi.waitFor(async () => expect(await answer("/api/slow")).toBe("200 "), 5000);

    const slow = functions.routes().find(({ path }) => path === "/api/slow");
    expect((await slow?.load())?.maxDuration).toBe(7);
  });
});

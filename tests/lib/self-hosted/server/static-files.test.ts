import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningServer } from "../../../../lib/self-hosted/server/server.js";
import { call, serve } from "./server-calls.js";

const publicDirectory = mkdtempSync(join(tmpdir(), "public-"));
let server: RunningServer;

beforeAll(async () => {
  writeFileSync(join(publicDirectory, "robots.txt"), "User-agent: *");
  writeFileSync(join(publicDirectory, ".hidden"), "hidden");
  mkdirSync(join(publicDirectory, "docs"));
  writeFileSync(join(publicDirectory, "docs/index.html"), "<h1>Docs</h1>");
  symlinkSync("/etc/hostname", join(publicDirectory, "link"));
  server = await serve([], { publicDirectory });
});
afterAll(async () => {
  await server.close();
  rmSync(publicDirectory, { recursive: true });
});

describe("public files", () => {
  it("are served with their content type, with index.html for a folder", async () => {
    const file = await call(server, "/robots.txt");
    expect(file).toMatchObject({ status: 200, text: "User-agent: *" });
    expect(file.headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect((await call(server, "/docs")).text).toBe("<h1>Docs</h1>");
    expect((await call(server, "/robots.txt", { method: "POST" })).status).toBe(405);
  });

  it.each([
    "/.hidden",
    "/%2ehidden",
    "/docs/..%2f..%2f..%2fetc%2fhostname",
    "/link",
    "/robots.txt%00",
    "/%ff",
  ])("do not include %s", async (path) => {
    expect((await call(server, path)).status).toBe(404);
  });
});

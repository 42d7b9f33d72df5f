import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { routeGroups } from "../../lib/admission/route-groups.js";
import type { Route } from "../../lib/http/route.js";
import { routesFromFiles } from "../../lib/self-hosted/server/routes.js";
import { sourceFiles } from "../support/source-files.js";

const files = sourceFiles("api");

describe("every file of api/", () => {
  it("becomes a function", () => {
    expect(
      routesFromFiles(files)
        .map(({ file }) => file)
        .sort(),
    ).toEqual(files);
  });

  it.each(files)("%s exports a route whose template is its path", async (file) => {
    const { default: route } = (await import(resolve(file))) as { default: Route };
    expect(route.fetch).toBeTypeOf("function");
    expect(Object.keys(route.endpoints)).not.toEqual([]);
    expect(route.template).toBe(templateOf(file));
  });
});

describe("every endpoint with a session", () => {
  // The count detects a Redis that refuses writes; otherwise a revoked session would still work.
  it.each(files)("%s counts its requests in Redis", async (file) => {
    const { default: route } = (await import(resolve(file))) as { default: Route };
    for (const { auth, limits } of Object.values(route.endpoints)) {
      const usesSession = ["user", "operator", "token", "optional"].includes(auth);
      if (usesSession) expect(limits).not.toEqual([]);
    }
  });
});

describe("kill switches", () => {
  /** Routes that monitor and operate the service have no kill switch. */
  const withoutSwitch = [
    "",
    "cron",
    "flags",
    "health",
    "livez",
    "metrics",
    "openapi.json",
    "ops",
    "webhooks",
  ];
  const groups = new Set(files.map((file) => templateOf(file).split("/")[2] ?? ""));

  it("cover every group of routes, except those for operating the service", () => {
    expect([...groups].sort()).toEqual([...withoutSwitch, ...Object.keys(routeGroups)].sort());
  });
});

/** `/api/user/sessions/:sessionId` for `api/user/sessions/[sessionId].ts`. */
function templateOf(file: string): string {
  if (file === "api/index.ts") return "/api/";
  return `/${file.replace(/\.ts$/, "").replace(/\/index$/, "")}`.replace(/\[(\w+)\]/g, ":$1");
}

import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { routeGroups } from "../../lib/admission/route-groups.js";
import type { Route } from "../../lib/http/route.js";
import { routesFromFiles } from "../../lib/self-hosted/server/routes.js";
import { sourceFiles } from "../support/source-files.js";

const files = sourceFiles("api");

describe("every file of api/", () => {
  it("is a function", () => {
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

describe("every endpoint that acts for a session", () => {
  // A Redis that takes no writes is noticed by the count: without one, a session that has ended would live.
  it.each(files)("%s counts its requests in Redis", async (file) => {
    const { default: route } = (await import(resolve(file))) as { default: Route };
    for (const { auth, limits } of Object.values(route.endpoints)) {
      const isOfASession = ["user", "operator", "token", "optional"].includes(auth);
      if (isOfASession) expect(limits).not.toEqual([]);
    }
  });
});

describe("the kill switches", () => {
  /** How the service is watched, steered and told of: nothing switches that off. */
  const neverSwitched = [
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

  it("cover every group of routes, but for what operators need", () => {
    expect([...groups].sort()).toEqual([...neverSwitched, ...Object.keys(routeGroups)].sort());
  });
});

/** `/api/user/sessions/:sessionId` for `api/user/sessions/[sessionId].ts`. */
function templateOf(file: string): string {
  if (file === "api/index.ts") return "/api/";
  return `/${file.replace(/\.ts$/, "").replace(/\/index$/, "")}`.replace(/\[(\w+)\]/g, ":$1");
}

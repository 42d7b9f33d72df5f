import { describe, expect, it } from "vitest";
import { createRouter, routesFromFiles } from "../../../../lib/self-hosted/server/routes.js";

describe("routes of function files", () => {
  const files = [
    "api/[top].ts",
    "api/a/[x].ts",
    "api/a/[x]/[y].ts",
    "api/a/[x]/b.ts",
    "api/a/c/[y].ts",
    "api/index.ts",
    "api/user/index.ts",
    "api/_shared.ts",
    "api/types.d.ts",
    "api/.hidden/x.ts",
    "lib/env.ts",
  ];
  const findRoute = createRouter(routesFromFiles(files));
  const fileOf = (path: string) => findRoute(path)?.file;

  it.each([
    ["/api", "api/index.ts"],
    ["/api/", "api/index.ts"],
    ["/api/user", "api/user/index.ts"],
    ["/api/user/", "api/user/index.ts"],
    ["/api/other", "api/[top].ts"],
    ["/api/a/1", "api/a/[x].ts"],
    ["/api/a/1/b", "api/a/[x]/b.ts"],
    ["/api/a/c/b", "api/a/[x]/b.ts"],
    ["/api/a/c/2", "api/a/c/[y].ts"],
    ["/api/a/1/2", "api/a/[x]/[y].ts"],
  ])("%s is served by %s", (path, file) => {
    expect(fileOf(path)).toBe(file);
  });

  it.each(["/", "/api/a/1/2/3", "/api//", "/apix", "/lib/env", "/api/a//b", "/api/user//"])(
    "%s has no route",
    (path) => {
      expect(fileOf(path)).toBeUndefined();
    },
  );

  it("omits files that are not functions", () => {
    const names = routesFromFiles(files).map(({ file }) => file);
    expect(names).toHaveLength(7);
  });
});

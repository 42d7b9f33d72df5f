import { describe, expect, it } from "vitest";
import { platformConfig, readProjectSettings } from "../../dev/build/platform-config.js";
import { routesFromFiles } from "../../lib/self-hosted/server/routes.js";

describe("the platform configuration", () => {
  // The output of `vercel build` (60.1.3) for these files.
  it("equals the output of vercel build", () => {
    const files = [
      "api/[top].ts",
      "api/a/[x].ts",
      "api/a/[x]/[y].ts",
      "api/a/[x]/b.ts",
      "api/a/c/[y].ts",
      "api/auth/login.ts",
      "api/b/[x].ts",
      "api/b/c.ts",
      "api/index.ts",
      "api/user/sessions/[sessionId].ts",
    ];
    const crons = [{ path: "/api/livez", schedule: "0 * * * *" }];
    const ordered = routesFromFiles(files).map(({ file }) => file);
    const rewrite = (src: string, dest: string) => ({ src, dest, check: true });
    expect(platformConfig(ordered, { crons })).toEqual({
      version: 3,
      routes: [
        { handle: "filesystem" },
        rewrite("^/api/a/([^/]+)/(b/|b|b\\.ts)$", "/api/a/[x]/b?x=$1"),
        rewrite("^/api/a/c/([^/]+)$", "/api/a/c/[y]?y=$1"),
        rewrite("^/api/user/sessions/([^/]+)$", "/api/user/sessions/[sessionId]?sessionId=$1"),
        rewrite("^/api/a/([^/]+)/([^/]+)$", "/api/a/[x]/[y]?x=$1&y=$2"),
        rewrite("^/api/a/([^/]+)$", "/api/a/[x]?x=$1"),
        rewrite("^/api/b/([^/]+)$", "/api/b/[x]?x=$1"),
        rewrite("^/api/([^/]+)$", "/api/[top]?top=$1"),
        { src: "^/api(/.*)?$", status: 404 },
        { handle: "error" },
        { status: 404, src: "^(?!/api).*$", dest: "/404.html" },
        { handle: "miss" },
        { src: "^/api/(.+)(?:\\.(?:ts))$", dest: "/api/$1", check: true },
      ],
      crons,
    });
  });

  it("rejects a setting that the build does not support", () => {
    expect(() => readProjectSettings('{ "headers": [] }')).toThrow("headers");
  });
});

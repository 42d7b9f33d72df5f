import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const forbidden: [file: string, imported: string][] = [
  ["api/user/index.ts", "../auth/login.js"],
  ["api/user/index.ts", "./sessions/index.js"],
  ["api/user/index.ts", "../../lib/db/database.js"],
  ["api/user/index.ts", "../../lib/redis/client.js"],
  ["api/user/index.ts", "../../lib/rate-limit/limiter.js"],
  ["api/user/index.ts", "../../lib/observability/logger.js"],
  ["api/user/index.ts", "../../lib/audit/audit.js"],
  ["api/user/index.ts", "../../lib/platform/installed.js"],
  ["api/user/index.ts", "../../dev/connect.js"],
  ["api/user/index.ts", "../../tests/support/call.js"],
  ["lib/http/route.ts", "../../api/user/index.js"],
  ["lib/http/route.ts", "../../dev/connect.js"],
  ["lib/http/route.ts", "../../tests/support/call.js"],
  ["lib/auth/session/session.ts", "../../http/route.js"],
  ["lib/user/user.ts", "../http/endpoint.js"],
  ["lib/learning/grade.ts", "../http/reply.js"],
  ["lib/tutor/chat.ts", "../http/reply.js"],
  ["lib/ops/health.ts", "../http/reply.js"],
  ["lib/auth/session/session.ts", "../../../api/auth/login.js"],
  ["lib/auth/session/session.ts", "../../../dev/connect.js"],
  ["lib/auth/session/session.ts", "../../../tests/support/call.js"],
  ["lib/db/database.ts", "../auth/session/session.js"],
  ["lib/redis/client.ts", "../user/user.js"],
  ["lib/rate-limit/limiter.ts", "../http/limits.js"],
  ["lib/events/outbox.ts", "../learning/grade.js"],
  ["lib/observability/log-lines/http.ts", "../../ops/health.js"],
  ["lib/mail/send.ts", "../tutor/chat.js"],
  ["lib/audit/audit.ts", "../user/user.js"],
  ["lib/toolkit/client.ts", "../http/reply.js"],
  ["lib/toolkit/client.ts", "../../dev/connect.js"],
  ["lib/platform/installed.ts", "../db/database.js"],
  ["lib/platform/installed.ts", "../observability/logger.js"],
  ["lib/platform/server/server.ts", "../../http/route.js"],
  ["lib/platform/server/server.ts", "../../auth/session/session.js"],
  ["lib/platform/self-hosted/self-hosted.ts", "../../http/route.js"],
  ["lib/platform/self-hosted/self-hosted.ts", "../../../dev/connect.js"],
  ["lib/env.ts", "./db/database.js"],
  ["lib/errors.ts", "./http/problem.js"],
  ["lib/secret.ts", "./platform/installed.js"],
  ["lib/env.ts", "../dev/connect.js"],
];

const permitted: [file: string, imported: string][] = [
  ["api/user/index.ts", "../../lib/http/route.js"],
  ["api/user/index.ts", "../../lib/user/user.js"],
  ["api/index.ts", "../lib/release.js"],
  ["lib/http/pass.ts", "../auth/session/live-session.js"],
  ["lib/http/pass.ts", "../redis/client.js"],
  ["lib/http/pass.ts", "./reply.js"],
  ["lib/auth/session/session.ts", "../../user/user.js"],
  ["lib/auth/session/session.ts", "../../db/database.js"],
  ["lib/auth/session/session.ts", "../../audit/audit.js"],
  ["lib/auth/session/session.ts", "../../env.js"],
  ["lib/rate-limit/limiter.ts", "../redis/client.js"],
  ["lib/redis/client.ts", "../platform/installed.js"],
  ["lib/platform/self-hosted/self-hosted.ts", "../../observability/logger.js"],
  ["lib/platform/installed.ts", "../env.js"],
  ["dev/server.ts", "../lib/http/route.js"],
  ["tests/api/index.test.ts", "../../api/index.js"],
];

describe("imports point one way: api → lib/http → domain → supporting → foundation", () => {
  const root = mkdtempSync(join(tmpdir(), "imports-"));
  let broken: Map<string, string>;

  beforeAll(() => {
    copyFileSync("biome.json", join(root, "biome.json"));
    for (const [file, imported] of [...forbidden, ...permitted]) {
      write(root, snippetFile(file, imported), `import it from "${imported}";\nconsole.log(it);\n`);
    }
    write(
      root,
      "lib/context.ts",
      'import type { Database } from "./db/database.js";\nexport type D = Database;\n',
    );
    write(
      root,
      "lib/auth/one.ts",
      'import { two } from "./two.js";\nexport const one = () => two;\n',
    );
    write(
      root,
      "lib/auth/two.ts",
      'import { one } from "./one.js";\nexport const two = () => one;\n',
    );
    write(root, "lib/auth/late.ts", 'export const late = () => import("../http/route.js");\n');
    broken = brokenRules(root);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it.each(forbidden)("%s may not import %s", (file, imported) => {
    expect(broken.get(snippetFile(file, imported))).toBe("lint/style/noRestrictedImports");
  });

  it.each(permitted)("%s may import %s", (file, imported) => {
    expect(broken.get(snippetFile(file, imported))).toBeUndefined();
  });

  it("lets the context name a type of a folder", () => {
    expect(broken.get("lib/context.ts")).toBeUndefined();
  });

  it("sees two files that import each other", () => {
    expect(broken.get("lib/auth/one.ts")).toBe("lint/suspicious/noImportCycles");
  });

  it("sees an import that is made while running", () => {
    expect(broken.get("lib/auth/late.ts")).toBe("lint/style/noRestrictedImports");
  });
});

/** A file of its own for each case, beside the one that is named: `lib/auth/session/session-http-route.ts`. */
function snippetFile(file: string, imported: string): string {
  const suffix = imported.replace(/\.js$/, "").replace(/[^a-z]+/g, "-");
  return file.replace(/\.ts$/, `${suffix}.ts`);
}

function write(root: string, file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

/** The lint rule that each file of the tree breaks. */
function brokenRules(root: string): Map<string, string> {
  const biome = resolve("node_modules/@biomejs/biome/bin/biome");
  const options = ["--vcs-enabled=false", "--max-diagnostics=none", "--reporter=json"];
  const { stdout } = spawnSync(process.execPath, [biome, "lint", ...options, "."], {
    cwd: root,
    encoding: "utf8",
  });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { category: string; location: { path: string } }[];
  };
  return new Map(diagnostics.map(({ category, location }) => [location.path, category]));
}

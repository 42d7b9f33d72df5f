import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** Forbidden imports, with the rule that reports each. */
const forbidden: [file: string, imported: string, rule: string][] = [
  ["api/user/index.ts", "api/auth/login.ts", "no-import-between-routes"],
  ["api/user/index.ts", "lib/db/database.ts", "no-shortcut-from-routes"],
  ["api/user/index.ts", "lib/platform/platform.ts", "no-shortcut-from-routes"],
  ["api/user/index.ts", "dev/connect.ts", "no-development-code"],
  ["api/user/index.ts", "tests/support/call.ts", "no-development-code"],
  ["lib/http/route.ts", "api/user/sessions.ts", "no-import-up-from-request-pipeline"],
  ["lib/http/route.ts", "lib/self-hosted/server.ts", "no-import-up-from-request-pipeline"],
  ["lib/auth/session.ts", "lib/http/reply.ts", "no-import-up-from-domain"],
  ["lib/auth/session.ts", "dev/seed.ts", "no-development-code"],
  ["lib/schedule/tick.ts", "lib/cli/ops.ts", "no-import-up-from-domain"],
  ["lib/db/tables.ts", "lib/auth/token.ts", "no-import-up-from-supporting"],
  ["lib/telemetry/series.ts", "lib/alerts/rules.ts", "no-import-up-from-supporting"],
  ["lib/platform/installed.ts", "lib/redis/client.ts", "no-import-up-from-foundation"],
  ["lib/context.ts", "lib/mail/mail.ts", "no-import-up-from-foundation"],
  ["lib/cli/command.ts", "lib/self-hosted/start.ts", "no-import-of-self-hosted"],
  ["lib/unplaced/thing.ts", "lib/errors.ts", "no-folder-without-layer"],
];

const permitted: [file: string, imported: string][] = [
  ["api/index.ts", "lib/http/endpoint.ts"],
  ["lib/http/pipeline.ts", "lib/auth/claims.ts"],
  ["lib/auth/log-in.ts", "lib/user/user.ts"],
  ["lib/auth/log-in.ts", "lib/audit/audit.ts"],
  ["lib/rate-limit/limiter.ts", "lib/redis/script.ts"],
  ["lib/redis/script.ts", "lib/platform/transport.ts"],
  ["lib/self-hosted/main.ts", "lib/observability/logger.ts"],
  ["dev/server.ts", "lib/http/cors.ts"],
  ["tests/api/index.test.ts", "api/health.ts"],
];

describe("npm run lint", () => {
  const root = mkdtempSync(join(tmpdir(), "lint-"));
  let violations: Violation[];

  beforeAll(() => {
    for (const file of [".dependency-cruiser.mjs", "tsconfig.json", "package.json", "biome.json"]) {
      cpSync(file, join(root, file));
    }
    cpSync("dev/lint", join(root, "dev/lint"), { recursive: true });
    for (const [file, imported] of [...forbidden, ...permitted]) addImport(file, imported);
    addImport("lib/user/one.ts", "lib/user/two.ts");
    addImport("lib/user/two.ts", "lib/user/one.ts");
    addImport("lib/tutor/chat.ts", "lib/admission/gate.ts");
    addImport("lib/admission/flags.ts", "lib/tutor/words.ts", "type");
    addImport("lib/alerts/notices.ts", "lib/cli/text.ts", "late");
    violations = cruise(root);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it.each(forbidden)("rejects an import in %s of %s", (from, to, rule) => {
    expect(violations).toContainEqual({ from, to, rule });
  });

  it.each(permitted)("accepts an import in %s of %s", (from, to) => {
    expect(violations.filter((found) => found.from === from && found.to === to)).toEqual([]);
  });

  it("rejects two files that import each other", () => {
    const rule = "no-file-cycle";
    expect(violations).toContainEqual({ from: "lib/user/one.ts", to: "lib/user/two.ts", rule });
  });

  it("rejects two folders that import each other, also for type imports", () => {
    const rule = "no-folder-cycle";
    expect(violations).toContainEqual({ from: "lib/admission", to: "lib/tutor", rule });
  });

  it("rejects a dynamic import of a higher layer", () => {
    expect(violations).toContainEqual({
      from: "lib/alerts/notices.ts",
      to: "lib/cli/text.ts",
      rule: "no-import-up-from-domain",
    });
  });

  it.each([
    'spawn("node", ["dev/run.mjs"]);',
    'new URL("../../dev/run.mjs", import.meta.url);',
    'new URL("../schedule/tick.js", import.meta.url);',
  ])("rejects a program path outside the folder: %s", (statement) => {
    write("lib/queue/program.ts", `${statement}\n`);
    expect(biomeRules("lib/queue/program.ts")).toContain("plugin");
  });

  it("accepts a program path in the same folder, or in the build output", () => {
    write(
      "lib/queue/program.ts",
      'new URL("./worker.mjs", import.meta.url);\nnew URL("../../.vercel/server.mjs", import.meta.url);\n',
    );
    expect(biomeRules("lib/queue/program.ts")).not.toContain("plugin");
  });

  const imported = new Map<string, string>();

  function addImport(from: string, to: string, kind: "value" | "type" | "late" = "value"): void {
    const path = relative(dirname(from), to).replace(/\.ts$/, ".js");
    const specifier = path.startsWith(".") ? path : `./${path}`;
    const statement = {
      value: `import "${specifier}";`,
      type: `import type { T } from "${specifier}";`,
      late: `export const late = () => import("${specifier}");`,
    }[kind];
    for (const file of [from, to]) imported.set(file, imported.get(file) ?? "export type T = 1;\n");
    imported.set(from, `${statement}\n${imported.get(from)}`);
    for (const file of [from, to]) write(file, imported.get(file) ?? "");
  }

  function write(file: string, text: string): void {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }

  /** The rule categories that biome, the second half of the command, reports for a file. */
  function biomeRules(file: string): string[] {
    const program = resolve("node_modules/.bin/biome");
    const run = spawnSync(program, ["lint", "--vcs-enabled=false", "--reporter=json", file], {
      cwd: root,
    });
    const { diagnostics } = JSON.parse(run.stdout.toString()) as {
      diagnostics: { category: string }[];
    };
    return diagnostics.map(({ category }) => category);
  }
});

interface Violation {
  from: string;
  to: string;
  rule: string;
}

function cruise(root: string): Violation[] {
  const program = resolve("node_modules/.bin/depcruise");
  const folders = ["api", "lib", "dev", "tests"];
  const run = spawnSync(program, [...folders, "--output-type", "json"], {
    cwd: root,
    maxBuffer: 1e8,
  });
  const { summary } = JSON.parse(run.stdout.toString()) as {
    summary: { violations: { from: string; to: string; rule: { name: string } }[] };
  };
  return summary.violations.map(({ from, to, rule }) => ({ from, to, rule: rule.name }));
}

import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startNeonEndpoint } from "../../dev/neon-api/neon-endpoint.js";
import { startWebhookEndpoint } from "../../dev/webhook-endpoint.js";
import { ruleNames, runbookSlug } from "../../lib/alerts/rules.js";
import { issueAccessToken } from "../../lib/auth/token/access-token.js";
import { env } from "../../lib/env.js";
import { noDatabases } from "../support/neon-api.js";
import { keepSession, opsBundle } from "../support/ops-command.js";
import { workerRedisUrl } from "../support/real-stores.js";
import { useTwoProcesses } from "../support/two-processes.js";

const directory = "docs/runbooks";
const files = readdirSync(directory).filter((name) => name.endsWith(".md") && name !== "README.md");
const text = (file: string) => readFileSync(join(directory, file), "utf8");

const headings = ["DO NOW", "CONFIRM", "DECIDE", "FIX", "VERIFY", "UNDO / ESCALATE", "WHY"];
/** Entries of the operations guide, each with its runbook. */
const guideEntries: Record<string, string> = {
  "Rotate JWT Secret": "rotate-keys.md",
  "Clear Rate Limits": "clear-rate-limits.md",
  "Invalidate Sessions": "sessions.md",
  "View Active Sessions": "sessions.md",
  "Backend Won't Start": "backend-wont-start.md",
  "High Error Rate": "error-rate-critical.md",
  "Rate Limiting Too Aggressive": "rate-limit-near-max.md",
  "JWT Expiration Issues": "jwt-expiration-issues.md",
  "External API Failures": "external-api-down.md",
  "Memory Leaks": "memory-leaks.md",
  "Database Connection Lost": "database-connection-lost.md",
  "High CPU Usage": "high-cpu-usage.md",
  "Deployment Rollback": "deployment-rollback.md",
  "Incident Response": "incident-response.md",
};
/** Commands of a platform or of the server's machine: only `console` blocks may have them. */
const consoleCommands =
  /^(vercel|railway|docker|docker-compose|TAG=|curl|ps|ss|node|kill|lsof|echo|npm run|timedatectl|chronyc|pg_dump|psql)\b/;

const blocks = (file: string, language: string) =>
  [...text(file).matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].flatMap(
    ([, block = ""]) => block.trim().split("\n"),
  );

describe("runbooks", () => {
  it("exist for every alert and for every entry of the operations guide", () => {
    const needed = [...ruleNames, "BreakGlassUsed"].map((name) => `${runbookSlug(name)}.md`);
    expect(
      [...needed, ...Object.values(guideEntries)].filter((file) => !files.includes(file)),
    ).toEqual([]);
  });

  it.each(files)(
    "%s has all sections in the required order, fewer than 100 lines, and only valid links",
    (file) => {
      const found = [...text(file).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
      expect(found).toEqual(headings);
      expect(text(file).split("\n").length).toBeLessThan(100);
      for (const [, link = ""] of text(file).matchAll(/\]\((?!https?:)([^)#]+)/g)) {
        expect(existsSync(join(directory, link)), link).toBe(true);
      }
      for (const line of blocks(file, "console")) expect(line).toMatch(consoleCommands);
    },
  );
});

const team = await startWebhookEndpoint();
const neon = await startNeonEndpoint(noDatabases);
afterAll(() => Promise.all([team.close(), neon.close()]));

describe("every command in the runbooks", () => {
  const processes = useTwoProcesses({
    environment: {
      ALERT_WEBHOOK_URL: team.url,
      NEON_API_URL: neon.url,
      NEON_API_KEY: neon.apiKey,
      NEON_PROJECT_ID: neon.projectId,
      NEON_BRANCH_ID: neon.branchId,
      CRON_SECRET: "cron-secret-of-the-tests",
      METRICS_TOKEN: "metrics-token-of-the-tests",
      RATE_LIMIT_TRUSTED_IPS: "127.0.0.1",
    },
  });
  let home = "";
  let commandLine = "";
  let given: NodeJS.ProcessEnv = {};
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "runbooks-"));
    commandLine = await opsBundle();
    const operator = await processes.aRecordedLearner();
    await processes.sql("update users set role = 'admin' where id = $1", [operator.userId]);
    await processes.sql("update sessions set auth_methods = '{pwd,otp}' where id = $1", [
      operator.sessionId,
    ]);
    const claims = {
      userId: operator.userId,
      sessionId: operator.sessionId,
      authenticatedAt: new Date(),
      authMethods: ["pwd", "otp"],
    };
    const accessToken = await issueAccessToken(env(), claims, new Date());
    const learner = await processes.aLearner();
    await processes.sql(
      "update users set email = claimed_email, claimed_email = null where id = $1",
      [learner.userId],
    );
    given = {
      PATH: process.env.PATH,
      HOME: home,
      OPS_URL: processes.at(0),
      XDG_CONFIG_HOME: home,
      OPS_TOKEN: accessToken,
      TOKEN: learner.accessToken,
      USER_ID: learner.userId,
      SESSION_ID: learner.sessionId,
      EMAIL: learner.email,
      IP: "203.0.113.7",
      CORRELATION_ID: "a-correlation-id",
      CODE: "service_unavailable",
      DATABASE_URL: processes.environment.DATABASE_URL,
      REDIS_URL: workerRedisUrl(),
    };
    keepSession(home, processes.at(0), accessToken);
    const opened = await run(
      'npm run --silent ops -- incident open "a drill" --json --reason "a drill"',
    );
    given.INCIDENT_ID = JSON.parse(opened.out).detail.id;
  });
  afterAll(() => rm(home, { recursive: true, force: true }));

  /** Runs a line with the ops command bundled once, instead of by each `npm run ops`. */
  function run(line: string): Promise<{ status: number; out: string }> {
    return new Promise((resolve) => {
      // Some commands write a file.
      const options = { env: given, cwd: home, timeout: 60_000 };
      const bundled = line.replaceAll(/npm run (--silent )?ops --/g, `node ${commandLine}`);
      execFile("bash", ["-o", "pipefail", "-c", bundled], options, (error, stdout, stderr) => {
        const status = typeof error?.code === "number" ? error.code : error ? 255 : 0;
        resolve({ status, out: status === 0 ? stdout : `${stdout}\n${stderr}` });
      });
    });
  }

  const lines = [...new Set(files.flatMap((file) => blocks(file, "bash")))];
  // Commands that end the learner's sessions run last, because the others need them.
  const endsSessions = (line: string) =>
    Number(/sessions revoke|revoke user|suspend|DEL "session/.test(line));
  const revokesAll = (line: string) => line.includes("revokeAllBefore");
  const ordered = lines
    .filter((line) => !revokesAll(line))
    .toSorted((one, other) => endsSessions(one) - endsSessions(other));

  it("succeeds against a built server", async () => {
    const failed: string[] = [];
    let next = 0;
    const attempt = async (line: string) => {
      const { status, out } = await run(line);
      // A read command may exit with 1 for a problem that it found; a change must succeed.
      const isReading = !line.includes("--reason") && line.startsWith("npm run ops");
      if (status === 0 || (status === 1 && isReading)) return;
      failed.push(`${line}\n  exit ${status}: ${out.trim().slice(-400)}`);
    };
    const worker = async () => {
      for (let at = next++; at < ordered.length; at = next++) await attempt(ordered[at] ?? "");
    };
    await Promise.all([worker(), worker(), worker()]);
    // These revoke the operator's own session too.
    for (const line of lines.filter(revokesAll)) await attempt(line);
    const answer = await run("npm run --silent ops -- flag");
    expect(answer.out).toContain("session_revoked");
    expect(failed).toEqual([]);
  }, 180_000);
});

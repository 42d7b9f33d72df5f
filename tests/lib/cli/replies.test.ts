import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createApi } from "../../../lib/cli/api.js";
import { opsInProcess } from "../../support/ops-command.js";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return (server.address() as AddressInfo).port;
}

const serve = async (listener: RequestListener) =>
  `http://127.0.0.1:${await listening(createServer(listener))}`;

/** `ops alerts` against a deployment that answers like this. */
async function alertsFrom(url: string, args = ["alerts"]) {
  const outcome = await opsInProcess(args, { env: { OPS_URL: url, OPS_TOKEN: "ops_a_token" } });
  expect(outcome.error).not.toMatch(/Zod|\n +at |node_modules/);
  return outcome;
}

const answering = (status: number, type: string, body: string, headers = {}) =>
  serve((_, response) => {
    response.writeHead(status, { "content-type": type, ...headers }).end(body);
  });

const html = "<!doctype html><title>502 Bad Gateway</title>";
const problem = (code: string) =>
  JSON.stringify({ code, detail: "What happened.", correlationId: "c-1" });

describe("a reply that is not the deployment's", () => {
  it.each([
    ["HTML with 200", 200, "text/html", html, /200 with text\/html \(\d+ bytes\), not with JSON/],
    ["HTML with 502", 502, "text/html; charset=utf-8", html, /502 with text\/html \(\d+ bytes\)\./],
    ["an empty body", 200, "application/json", "", /200 with an empty body, not with JSON/],
    ["truncated JSON", 200, "application/json", '{"alerts":[', /200 with application\/json .*not/],
    ["a JSON array", 200, "application/json", "[1]", /cannot read: the body has another type/],
    ["a JSON text", 200, "application/json", '"ok"', /cannot read: the body has another type/],
    ["another object", 200, "application/json", "{}", /cannot read: “evaluatedUntil” is missing/],
    ["null", 200, "application/json", "null", /cannot read: the body has another type/],
    ["the 404 of another application", 404, "application/json", '{"error":"x"}', /404 with appl/],
    ["a problem of an unknown kind", 418, "application/json", problem("teapot"), /^418 teapot: /],
    ["a 500", 500, "application/problem+json", problem("internal_error"), /^500 .* ID c-1\.$/],
  ])("is described in one line, exit 1: %s", async (_, status, type, body, line) => {
    const url = await answering(status, type, body);
    const outcome = await alertsFrom(url);
    expect(outcome).toMatchObject({ status: 1, out: "" });
    const [text = "", ...rest] = outcome.error.split("\n");
    expect(text).toMatch(line);
    expect(rest).toEqual([""]);
    if (!body.includes('"code"')) expect(text).toContain(`GET ${url}/api/ops/alerts answered`);
  });

  it.each([
    [401, "token_invalid"],
    [403, "forbidden"],
  ])("exits with 3 for %i", async (status, code) => {
    const ours = await alertsFrom(await answering(status, "application/json", problem(code)));
    expect(ours).toMatchObject({
      status: 3,
      error: `Permission denied: ${status} ${code}: What happened. Correlation ID c-1.\n`,
    });
    const proxy = await alertsFrom(await answering(status, "text/html", html));
    expect(proxy).toMatchObject({
      status: 3,
      error: expect.stringMatching(/^[^\n]*html[^\n]*\n$/),
    });
  });

  it("says when to try again", async () => {
    const body = problem("rate_limited");
    const url = await answering(429, "application/json", body, { "retry-after": "30" });
    expect(await alertsFrom(url)).toMatchObject({
      status: 1,
      error: "429 rate_limited: What happened. Try again in 30 s. Correlation ID c-1.\n",
    });
  });

  it("says only once to try again, and which store to look at", async () => {
    const detail = "The service is temporarily unavailable. Try again.";
    const body = JSON.stringify({ code: "service_unavailable", detail, correlationId: "c-1" });
    const url = await answering(503, "application/problem+json", body, { "retry-after": "5" });
    expect((await alertsFrom(url)).error).toBe(
      "503 service_unavailable: The service is temporarily unavailable. Try again in 5 s. Correlation ID c-1. Postgres is down, refuses the connection, or a lock delays the statement: see `npm run ops -- status` and `db status`.\n",
    );
  });

  it("of `drain` exits with 1 when Redis does not answer, and says so", async () => {
    const at = "2026-01-31T08:00:00.000Z";
    const body = { cursor: "0-0", drainedUntil: at, lagSeconds: 0, keeps: "every row" };
    const answer = JSON.stringify({ ...body, waiting: null, gaps: [] });
    const outcome = await alertsFrom(await answering(200, "application/json", answer), ["drain"]);
    expect(outcome).toMatchObject({
      status: 1,
      out: expect.stringContaining("\nRedis does not answer: the backlog is unknown.\n"),
    });
  });

  it.each([
    ["pass", 0],
    ["warn", 1],
    ["fail", 1],
  ])("of `status` exits with 0 only when all pass: %s", async (status, exit) => {
    const findings = [{ name: "drain", status, detail: "a detail" }];
    const url = await answering(200, "application/json", JSON.stringify({ status, findings }));
    expect(await alertsFrom(url, ["status"])).toMatchObject({ status: exit });
  });

  it.each([
    [["done", "skipped"], 0],
    [["done", "failed"], 1],
    [["overdue", "skipped"], 1],
  ])("of `cron run` exits with 1 when a part has failed: %s", async (outcomes, exit) => {
    const parts = Object.fromEntries(outcomes.map((outcome) => [outcome, { outcome }]));
    const reply = { done: "Ran tick.", undo: null, inForce: true, detail: { ran: true, parts } };
    const url = await answering(200, "application/json", JSON.stringify(reply));
    const outcome = await alertsFrom(url, ["cron", "run", "tick", "--reason", "a test"]);
    expect(outcome).toMatchObject({ status: exit, out: "Ran tick.\n" });
  });

  it("says which flags Redis has not confirmed", async () => {
    const flag = { name: "stt", kind: "kill_switch", enabled: false, isPublic: false };
    const items = [{ ...flag, percentage: 100, users: [], covers: "speech" }];
    const shown = async (inForce: boolean) =>
      alertsFrom(await answering(200, "application/json", JSON.stringify({ items, inForce })), [
        "flag",
      ]);
    expect((await shown(true)).out).not.toContain("Redis");
    expect(await shown(false)).toMatchObject({
      status: 0,
      out: expect.stringContaining("Redis has not confirmed these flags"),
    });
  });

  it("reads `health` with the same care", async () => {
    for (const body of [html, "{}", "[]", ""]) {
      const url = await answering(200, "text/html", body);
      const outcome = await alertsFrom(url, ["health"]);
      expect(outcome).toMatchObject({ status: 1, out: "" });
      expect(outcome.error).toMatch(/^GET http[^\n]*\/api\/health answered 200 with [^\n]*\n$/);
    }
  });
});

describe("a change that needs the second factor again", () => {
  it("asks for it in a terminal and continues", async () => {
    let isFresh = false;
    const calls: unknown[] = [];
    const url = await serve(async (request, response) => {
      calls.push(JSON.parse(Buffer.concat(await request.toArray()).toString()));
      response.writeHead(isFresh ? 200 : 403, { "content-type": "application/json" });
      const changed = { done: "Switched stt off.", undo: null, inForce: true, detail: {} };
      response.end(isFresh ? JSON.stringify(changed) : problem("reauth_required"));
    });
    const confirm = async () => {
      isFresh = true;
      return true;
    };
    const credentials = { token: async () => "a token", confirm };
    const api = createApi({ url: new URL(url), credentials, reason: "a test", dryRun: false });
    const { text } = await api.change("PUT", "/api/ops/flags/stt", { enabled: false });
    expect(text).toBe("Switched stt off.");
    expect(calls).toEqual(Array(2).fill({ enabled: false, reason: "a test", dryRun: false }));
  });
});

describe("a failure with --json", () => {
  const failureOf = async (url: string, args = ["alerts", "--json"]) => {
    const { status, out, error } = await alertsFrom(url, args);
    expect(out).toBe("");
    return { status, ...JSON.parse(error) };
  };

  it("is one object on stderr: the problem as received, and the message", async () => {
    const body = problem("rate_limited");
    const type = "application/problem+json";
    const limited = await answering(429, type, body, { "retry-after": "30" });
    const { status, out, error } = await alertsFrom(limited, ["alerts", "--json"]);
    expect({ status, out }).toEqual({ status: 1, out: "" });
    expect(JSON.parse(error)).toEqual({
      ...JSON.parse(body),
      status: 429,
      retryAfterSeconds: 30,
      message: "429 rate_limited: What happened. Try again in 30 s. Correlation ID c-1.",
    });
    const refused = await answering(403, type, problem("forbidden"));
    expect(await failureOf(refused)).toMatchObject({ code: "forbidden", correlationId: "c-1" });
  });

  it("has a code of the CLI when there is no problem of the server", async () => {
    const page = await answering(502, "text/html", html);
    expect(await failureOf(page)).toMatchObject({ status: 502, code: "unexpected_reply" });
    expect(await failureOf("http://127.0.0.1:1024")).toMatchObject({
      status: 1,
      code: "no_answer",
      message: "http://127.0.0.1:1024 does not answer: connection refused.",
    });
    expect(await failureOf(page, ["alerts", "silence", "--json"])).toMatchObject({
      status: 2,
      code: "usage",
      message: "RULE is missing.",
    });
    expect(await failureOf(page, ["alert", "--json"])).toMatchObject({
      status: 2,
      code: "usage",
      message: expect.stringMatching(/^Unknown command: alert\n/),
    });
  });

  it("has the notices, which are prose otherwise", async () => {
    const url = await answering(404, "application/problem+json", problem("not_found"));
    const env = { OPS_URL: url, OPS_TOKEN: "a break-glass token" };
    const { error } = await opsInProcess(["alerts", "--json", "--break-glass"], { env });
    expect(JSON.parse(error)).toMatchObject({
      code: "not_found",
      notices: [expect.stringContaining("Each use of the break-glass token is audited")],
    });
  });
});

describe("a command that is printed to be copied", () => {
  const page = JSON.stringify({
    items: [],
    nextCursor: "-a_cursor",
    eventsUntil: "2026-01-31T12:03:40.000Z",
  });

  it.each([
    ["audit --actor Ada --action o'clock --limit 5", "audit", "--actor Ada --action 'o'\\''clock'"],
    ["access-log --correlation c-1 --status 401", "access-log", "--status 401 --correlation c-1"],
  ])("has the same filters and deployment: %s", async (line, name, filters) => {
    const url = await answering(200, "application/json", page);
    const args = [...line.split(" "), "--url", `${url}/`];
    const { out, error } = await opsInProcess(args, { env: { OPS_TOKEN: "ops_a_token" } });
    expect(error).toBe("");
    const limit = name === "audit" ? " --limit 5" : "";
    expect(out).toContain(
      `\nMore:\nnpm run ops -- ${name} ${filters}${limit} --cursor=-a_cursor --url '${url}/'\n`,
    );
    const here = await opsInProcess(line.split(" "), {
      env: { OPS_URL: url, OPS_TOKEN: "ops_a_token" },
    });
    expect(here.out).toMatch(/--cursor=-a_cursor\n$/);
  });

  it("names the typed deployment also to undo and to sign in", async () => {
    const changed = { done: "Done.", undo: "npm run ops -- undo", inForce: true, detail: {} };
    const url = await answering(200, "application/json", JSON.stringify(changed));
    const env = { OPS_TOKEN: "ops_a_token" };
    const change = ["flag", "off", "stt", "--reason", "a test", "--url", url];
    const undo = `\nUndo: npm run ops -- undo --url '${url}'\n`;
    expect((await opsInProcess(change, { env })).out).toContain(undo);
    const refusing = await answering(401, "application/json", problem("session_revoked"));
    const { error } = await opsInProcess(["flag", "--url", refusing], { env });
    expect(error).toContain(`npm run ops -- login --url '${refusing}'`);
  });
});

describe("a deployment that does not answer", () => {
  it.each([
    ["connection refused", "http://127.0.0.1:1024", /: connection refused\.$/],
    ["an unknown host", "https://nowhere.invalid", /: DNS does not (know the host|answer)\.$/],
  ])("is named with the reason: %s", async (_, url, reason) => {
    const outcome = await alertsFrom(url);
    expect(outcome).toMatchObject({ status: 1, out: "" });
    expect(outcome.error.trimEnd()).toMatch(reason);
    expect(outcome.error.split("\n").length).toBe(2);
  });

  it("is named when TLS fails", async () => {
    const plain = await serve((_, response) => response.end());
    const outcome = await alertsFrom(plain.replace("http:", "https:"));
    expect(outcome).toMatchObject({
      status: 1,
      error: expect.stringMatching(/TLS failed[^\n]*\n$/),
    });
    const bare = `https://127.0.0.1:${await listening(createSecureServer())}`;
    expect((await alertsFrom(bare)).error).toMatch(/^https:[^\n]* does not answer: [^\n]*\n$/);
  });

  it("is named when it closes the connection", async () => {
    const port = await listening(createTcpServer((socket) => socket.destroy()));
    const cut = await serve((_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{");
      setTimeout(() => response.destroy(), 20);
    });
    for (const url of [`http://127.0.0.1:${port}`, cut]) {
      const outcome = await alertsFrom(url);
      expect(outcome).toMatchObject({ status: 1, out: "" });
      expect(outcome.error).toMatch(/ does not answer: [^\n]+\n$/);
    }
  });
});

describe("a reply of a newer release", () => {
  const alerts = {
    alerts: [
      {
        rule: "ANewRule",
        label: "",
        priority: "P0",
        toldPriority: null,
        state: "acknowledged",
        since: "2026-01-31T08:00:00.000Z",
        detail: "7 %",
        runbook: "https://example.com/docs/runbooks/a-new-rule.md",
        silencedUntil: null,
        owner: "a new field",
      },
    ],
    silences: [],
    evaluatedUntil: "2026-01-31T08:00:00.000Z",
    unsent: 0,
    more: { new: "fields" },
  };

  it("exits with 0 for a list of problems", async () => {
    const firing = alerts.alerts.map((alert) => ({ ...alert, state: "firing" }));
    const url = await answering(
      200,
      "application/json",
      JSON.stringify({ ...alerts, alerts: firing }),
    );
    const listed = await alertsFrom(url);
    expect(listed).toMatchObject({ status: 0, out: expect.stringMatching(/^firing/m) });
    // The whole URL of a runbook is wider than a terminal.
    expect(listed.out).toContain("a-new-rule.md");
    expect(listed.out).not.toContain("https:");
  });

  it("is shown with its new values, without its new fields; --json has both", async () => {
    const url = await answering(200, "application/json", JSON.stringify(alerts));
    const shown = await alertsFrom(url);
    expect(shown).toMatchObject({ status: 0, error: "" });
    expect(shown.out).toMatch(/^acknowledged +ANewRule/m);
    expect(shown.out).not.toContain("new field");
    expect(JSON.parse((await alertsFrom(url, ["alerts", "--json"])).out)).toEqual(alerts);
  });
});

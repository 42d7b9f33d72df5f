import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { opsInProcess } from "../../support/ops-command.js";

let requests = 0;
const deployment = createServer((_, response) => {
  requests += 1;
  response.end("{}");
});
let env: Record<string, string>;
beforeAll(async () => {
  await new Promise<void>((listening) => deployment.listen(0, "127.0.0.1", listening));
  const { port } = deployment.address() as AddressInfo;
  env = { OPS_URL: `http://127.0.0.1:${port}`, OPS_TOKEN: "ops_a_token" };
});
afterAll(() => deployment.close());

const id = "0198a1b2-c3d4-4e5f-8a9b-0c1d2e3f4a5b";

describe("wrong usage", () => {
  it.each([
    ["block ip 203.0.113.300", "ADDRESS must be an IP address, such as "],
    ["block ip 203.0.113.0/24", "ADDRESS must be an IP address, such as "],
    ["block ip", "ADDRESS is missing."],
    ["block ip 203.0.113.7 203.0.113.8", "Unexpected argument: 203.0.113.8"],
    ["block ip 203.0.113.7 --ttl 1w", "--ttl must be a duration from 1m to 30d, such as "],
    ["block ip 203.0.113.7 --ttl 31d", "--ttl must be a duration from 1m to 30d, such as "],
    ["block ip 203.0.113.7 --ttl", "--ttl needs a value."],
    ["block ip 203.0.113.7 --tll 1h", "Unknown option: --tll. Did you mean --ttl?"],
    ["block cidr 203.0.113.0/25", "NETWORK must be an IPv4 network of /8, /16 or /24, or "],
    ["block cidr 203.0.113.7", "NETWORK must be an IPv4 network of /8, /16 or /24, or "],
    ["block user ada", "USER must be a user ID, an e-mail address, a session ID or "],
    ["block lift 7", "ID must be an ID, such as "],
    ["user suspend ada@", "USER must be a user ID, an e-mail address, a session ID or "],
    ["sessions list not-an-id", "USER must be a user ID, an e-mail address, a session ID or "],
    ["sessions show short", "ID must be a session ID, which has 22 characters, not short."],
    ["sessions revoke", "Give either WHAT or --user USER."],
    ["ratelimit show ada", "WHO must be an IP address, an e-mail address, a user ID, "],
    ["ratelimit top --by country", "--by must be ip, route or user, not country."],
    ["incident open outage --severity P9", "--severity must be P1, P2 or P3, not P9."],
    [`operator grant ${id} --role god`, "--role must be operator or admin, not god."],
    ["operator token create Robot --scopes flag:read", "NAME must be 1 to 63 of a-z 0-9"],
    ["operator token create robot --scopes flags", "--scopes must be a list of scopes, "],
    ["flag set beta --percentage 101", "--percentage must be a whole number from 0 to 100, "],
    [`flag set beta --users ${id},ada`, "--users must be an ID, such as "],
    ["flag off", "NAME is missing."],
    ["alerts test NoSuchRule", "RULE must be ErrorRateCritical, ErrorRateWarning, "],
    ["alerts silence RedisDown --minutes soon", "--minutes must be a whole number from 0 to 10080"],
    [
      "cron run tock",
      "There is no cron job tock. Use tick, cleanup, backup-check or restore-drill.",
    ],
    ["breaker open tolkit", "There is no breaker tolkit. Use toolkit."],
    ["errors --minutes 1e3", "--minutes must be a whole number from 1 to 1440, not 1e3."],
    [
      "audit --since yesterday",
      "--since must be a time, a date or an age, such as 2026-01-31T08:00:00Z, 2026-01-31 or 12h, not ",
    ],
    ["audit --limit 101", "--limit must be a whole number from 1 to 100, not 101."],
    ["audit verify --hash beef --last-id 1", "--hash must be a hash of 64 hexadecimal digits"],
    ["audit verify --last-id 1", "Give --last-id and --hash together."],
    ["access-log --ip 1.2.3", "--ip must be an IP address, such as "],
    ["access-log --user ada@example.com", "--user must be an ID, such as "],
    ["access-log --json=yes", "--json takes no value."],
    ["access-log -x", "Unknown option: -x"],
    ["flag --constructor", "Unknown option: --constructor"],
    ["flag --url example.com:8080", "Invalid URL: example.com:8080. Example: https://"],
    ["flag --url https://ada:pw@example.com", "The URL must not have a password."],
    ["sesions list", "Unknown command: sesions"],
    ["--json flag", "Options follow the command."],
  ])(
    "says in one line what is wrong, then only the usage, and sends nothing: %s",
    async (line, message) => {
      const isChange =
        /^(block (ip|cidr|user|lift)|user|sessions revoke|incident|operator|flag (set|off)|alerts |cron|breaker)/;
      const reason = isChange.test(line) ? ["--reason", "a test"] : [];
      const outcome = await opsInProcess([...line.split(" "), ...reason], { env });
      expect(outcome).toMatchObject({ status: 2, out: "" });
      const isJson = line.split(" ").includes("--json");
      const printed: string = isJson ? JSON.parse(outcome.error).message : outcome.error;
      const [said, usage, ...more] = printed.trimEnd().split("\n\n");
      expect(said).toContain(message);
      expect(said).not.toContain("\n");
      expect(usage?.replace(/\n {7}/g, " ")).toMatch(/^[^\n]*--help\]?$/);
      expect(more).toEqual([]);
      expect(outcome.error).not.toMatch(/Zod|Invalid input|Too small|positional argument/);
      expect(requests).toBe(0);
    },
  );

  it.each([
    ["flag off stt", "--reason TEXT is required."],
    ["flag off stt --reason x", "--reason must be a text of 3 to 500 characters, not x."],
    // The value was forgotten: this must not switch the flag off.
    ["flag off stt --reason --dry-run", "--reason needs a value."],
  ])("requires a reason: %s", async (line, message) => {
    const outcome = await opsInProcess(line.split(" "), { env });
    expect(outcome).toMatchObject({ status: 2, error: expect.stringContaining(message) });
    expect(requests).toBe(0);
  });
});

describe("valid arguments", () => {
  it.each([
    ["block ip 2001:db8::7 --ttl 90s --reason abc"],
    ["block cidr 2001:db8::/48 --reason=-because"],
    ["sessions show -abcdefghijklmnopqrst_"],
    ["access-log --since 2026-01-31T08:00:00+02:00 --status 401"],
    ["access-log --since 2026-01-31"],
    ["audit --since 12h"],
    [`flag set beta --percentage 0 --users ${id},${id} --reason abc`],
  ])("are sent: %s", async (line) => {
    requests = 0;
    const outcome = await opsInProcess(line.split(" "), { env });
    // The deployment of this test answers with an empty object.
    expect(outcome).toMatchObject({ status: 1, error: expect.stringContaining("is missing") });
    expect(requests).toBe(1);
  });
});

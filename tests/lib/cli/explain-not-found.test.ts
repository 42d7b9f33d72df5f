import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApi } from "../../../lib/cli/api.js";
import { commandOf } from "../../../lib/cli/command-line.js";
import { explainNotFound } from "../../../lib/cli/explain-not-found.js";
import { FailedError, UsageError } from "../../../lib/cli/failures.js";
import type { SignIn } from "../../../lib/cli/sign-in.js";
import type { Terminal } from "../../../lib/cli/terminal.js";

/** A deployment that answers every request with 404. */
const deployment = createServer((_, response) => {
  response.writeHead(404, { "content-type": "application/problem+json" });
  response.end(JSON.stringify({ code: "not_found", detail: "Not found.", correlationId: "c-1" }));
});
beforeAll(async () => {
  await new Promise<void>((listening) => deployment.listen(0, "127.0.0.1", listening));
});
afterAll(() => deployment.close());

async function failureOf(name: string, args: string[], options = {}): Promise<unknown> {
  const command = commandOf(name.split(" "));
  if (!command) throw new Error(`There is no command ${name}.`);
  const api = createApi({
    url: new URL(`http://127.0.0.1:${(deployment.address() as AddressInfo).port}`),
    credentials: { token: async () => "x", confirm: async () => false },
    reason: "a test",
    dryRun: false,
  });
  const call = { args, options, api, signIn: {} as SignIn, terminal: {} as Terminal };
  return command.run(call).catch((error) => explainNotFound(command, call, error));
}

describe("notThere", () => {
  it.each([
    [
      "cron run",
      "bogus",
      "There is no cron job bogus. Use tick, cleanup, backup-check or restore-drill.",
    ],
    ["breaker open", "tolkit", "There is no breaker tolkit. Use toolkit."],
    ["breaker auto", "x\u001b[2J", "There is no breaker x\\u001b[2J. Use toolkit."],
  ])("reports a usage error for %s %s, since all names are known", async (name, typed, message) => {
    const error = await failureOf(name, [typed]);
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ message });
  });

  it.each([
    [
      "block lift",
      "nope",
      "There is no active block nope. List them with `npm run ops -- block list`.",
    ],
    ["jobs retry", "nope", "There is no dead job nope. List them with `npm run ops -- jobs`."],
    [
      "incident close",
      "nope",
      "There is no incident nope. List them with `npm run ops -- incident list`.",
    ],
    [
      "sessions show",
      "nope",
      "There is no session nope. List them with `npm run ops -- sessions list USER`.",
    ],
  ])(
    "names for %s %s the command that lists the IDs, with the correlation ID",
    async (name, id, text) => {
      const error = await failureOf(name, [id]);
      expect(error).toBeInstanceOf(FailedError);
      expect((error as Error).message).toBe(
        `${text} 404 not_found: Not found. Correlation ID c-1.`,
      );
    },
  );

  it("names the account when one was given", async () => {
    for (const error of [
      await failureOf("user suspend", ["ada"]),
      await failureOf("sessions revoke", [], { user: "ada" }),
    ]) {
      expect((error as Error).message).toMatch(
        /^There is no .*account .*ada\. List them with `npm run ops -- find ada`/,
      );
    }
  });

  it.each(["user suspend", "revoke user", "block user", "operator grant", "sessions revoke"])(
    "says for %s why an address that is only claimed names no account, and how to go on",
    async (name) => {
      const error = await failureOf(name, ["o'ada@example.com"]);
      expect(error).toBeInstanceOf(FailedError);
      expect((error as Error).message).toBe(
        "No account has confirmed the e-mail address o'ada@example.com. An account that only claims it or had it before is never " +
          "chosen, because anyone can claim any address. " +
          "`npm run ops -- find 'o'\\''ada@example.com'` shows those accounts: use the ID. " +
          "404 not_found: Not found. Correlation ID c-1.",
      );
    },
  );

  it("returns the server's error for a known name", async () => {
    const error = await failureOf("cron run", ["tick"]);
    expect((error as Error).message).toMatch(/^404 not_found: /);
  });
});

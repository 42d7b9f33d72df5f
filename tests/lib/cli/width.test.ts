import { describe, expect, it } from "vitest";
import type { Api } from "../../../lib/cli/api.js";
import { commandOf } from "../../../lib/cli/command-line.js";
import type { SignIn } from "../../../lib/cli/sign-in.js";

const id = "0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
const at = "2026-01-31T08:00:00.123Z";

const block = {
  id,
  kind: "user",
  value: `user:${id}`,
  reason: "guesses passwords",
  createdBy: id,
  createdAt: at,
  expiresAt: at,
};
const audit = {
  at,
  action: "operator_token.created",
  subjectId: id,
  reason: "for the pipeline",
  correlationId: id,
};
const request = {
  at,
  count: 1,
  oneIn: 1,
  correlationId: id,
  route: "/api/auth/change-email/confirm",
  method: "POST",
  status: 401,
  code: "operator_token_ended",
  durationMs: 12,
  userHash: null,
  ipPrefix: "2001:db8:1:2::/64",
  limits: null,
  externalCalls: null,
  tokenFailure: null,
  securityEvents: null,
  appVersion: null,
  release: "a1b2c3d",
};

/** What a command prints for this response. */
async function printed(name: string, answer: object): Promise<string> {
  const command = commandOf([...name.split(" ")]);
  const api = { get: async () => answer, look: async () => answer } as unknown as Api;
  const output = await command?.run({ args: ["x"], options: {}, api, signIn: {} as SignIn });
  return output?.text ?? "";
}

describe("in a terminal of 100 columns", () => {
  it.each([
    [
      "audit",
      {
        items: [
          { ...audit, id: 1234567, actorKind: "operator", actorId: id, ipPrefix: "203.0.113.0/24" },
        ],
        nextCursor: null,
      },
    ],
    ["block list", { items: [block] }],
    [
      "find",
      {
        lookedUpAs: ["userId", "correlationId"],
        eventsUntil: at,
        mailSuppression: { addressHash: "x".repeat(22), reason: "complained", since: at },
        cut: ["securityEvents", "audit"],
        accounts: [
          {
            id,
            email: "l***@a-long-name.example.com",
            emailConfirmed: false,
            role: "operator",
            state: "deletion_pending",
            secondFactor: true,
            createdAt: at,
            liveSessions: 3,
          },
        ],
        blocks: [block],
        securityEvents: [
          {
            at,
            event: "privilege_escalation_attempt",
            count: 1,
            userId: id,
            ip: "203.0.113.200",
            route: "/api/auth/login",
            correlationId: id,
            data: { reason: "a" },
          },
        ],
        audit: [{ ...audit, actor: `operator ${id}` }],
        requests: [request],
      },
    ],
  ])("%s prints no line that wraps, and every ID", async (name, answer) => {
    const text = await printed(name, answer);
    for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(100);
    const ids = JSON.stringify(answer).split(id).length;
    expect(text.split(id).length).toBe(ids);
  });
});

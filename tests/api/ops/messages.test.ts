import { beforeAll, describe, expect, it } from "vitest";
import silences from "../../../api/ops/alerts/silences.js";
import lift from "../../../api/ops/blocks/[blockId]/lift.js";
import blocks from "../../../api/ops/blocks/index.js";
import breaker from "../../../api/ops/breakers/[service].js";
import flag from "../../../api/ops/flags/[name].js";
import closure from "../../../api/ops/incidents/[incidentId]/closure.js";
import notes from "../../../api/ops/incidents/[incidentId]/notes.js";
import incidents from "../../../api/ops/incidents/index.js";
import mailSuppressions from "../../../api/ops/mail-suppressions/index.js";
import suppressionLifts from "../../../api/ops/mail-suppressions/lifts.js";
import operatorTokens from "../../../api/ops/operator-tokens/index.js";
import operators from "../../../api/ops/operators/index.js";
import removals from "../../../api/ops/operators/removals.js";
import outboxRetries from "../../../api/ops/outbox/retries.js";
import resets from "../../../api/ops/rate-limits/resets.js";
import rebuild from "../../../api/ops/redis/rebuild.js";
import revocations from "../../../api/ops/revocations.js";
import secondFactorRemovals from "../../../api/ops/users/second-factor-removals.js";
import suspension from "../../../api/ops/users/suspension.js";
import type { Route } from "../../../lib/http/route.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { anOperator } from "../../support/operators.js";
import { aBoundUser, type Person } from "../../support/people.js";
import { enrol } from "../../support/second-factor.js";
import { useStores } from "../../support/stores.js";

useEnvironment({ RATE_LIMIT_MAX_REQUESTS: "100000" });
const stores = useStores();
let token: string;
let person: Person;
beforeAll(async () => {
  token = (await anOperator(stores, "admin")).token;
  person = await aBoundUser(stores);
  await enrol(stores, person);
});

type Change = [route: Route, method: "POST" | "PUT", body: object, path?: string];

async function send([route, method, body, path]: Change, dryRun = false) {
  const url = path && `http://localhost:8080/api/ops/${path}`;
  const given = { reason: "a test", dryRun, ...body };
  const answer = await call(route, method, { token, body: given, ...(url && { url }) });
  expect(answer.body.done, JSON.stringify(answer.body)).toBeTypeOf("string");
  return answer.body as { done: string; detail: Record<string, string> };
}

/** In this order: later changes need earlier ones. */
const changes: [name: string, change: () => Change, dry: RegExp, real: RegExp, again: RegExp][] = [
  [
    "block ip",
    () => [blocks, "POST", { kind: "ip", value: "203.0.113.9", ttlSeconds: 60 }],
    /^Would block 203\.0\.113\.9\/32 for 60 s\. Requests from 203\.0\.113\.0\/24 /,
    /^Blocked 203\.0\.113\.9\/32 until /,
    /^Already blocked 203\.0\.113\.9\/32: now until /,
  ],
  [
    "flag off",
    () => [flag, "PUT", { enabled: false }, "flags/stt"],
    /^Would switch stt off\. /,
    /^Switched stt off\.$/,
    /^stt is already off\.$/,
  ],
  [
    "flag on",
    () => [flag, "PUT", { enabled: true }, "flags/stt"],
    /^Would switch stt on\.$/,
    /^Switched stt on\.$/,
    /^stt is already on\.$/,
  ],
  [
    "breaker open",
    () => [breaker, "PUT", { state: "open" }, "breakers/toolkit"],
    /^Would set the breaker of toolkit to open \(before: auto\)\.$/,
    /^Set the breaker of toolkit to open \(before: auto\)\.$/,
    /^The breaker of toolkit is already set to open\.$/,
  ],
  [
    "breaker auto",
    () => [breaker, "PUT", { state: "auto" }, "breakers/toolkit"],
    /^Would set the breaker of toolkit to auto/,
    /^Set the breaker of toolkit to auto/,
    /^The breaker of toolkit is already set to auto\.$/,
  ],
  [
    "alerts silence",
    () => [silences, "POST", { rule: "RedisDown", minutes: 5 }],
    /^Would silence RedisDown until /,
    /^Silenced RedisDown until /,
    /^Silenced RedisDown until /,
  ],
  [
    "alerts silence --minutes 0",
    () => [silences, "POST", { rule: "RedisDown", minutes: 0 }],
    /^Would end the silence of RedisDown\.$/,
    /^Ended the silence of RedisDown\.$/,
    /^RedisDown is not silenced\.$/,
  ],
  [
    "sessions revoke",
    () => [revocations, "POST", { session: person.sessionId }],
    /^Would revoke session /,
    /^Revoked session /,
    /^Session \S+ was already revoked\.$/,
  ],
  [
    "revoke user",
    () => [revocations, "POST", { user: person.user.id }],
    /has no session to revoke\.$/,
    /has no session to revoke\.$/,
    /has no session to revoke\.$/,
  ],
  [
    "user remove-second-factor",
    () => [secondFactorRemovals, "POST", { user: person.user.id }],
    /^Would remove the second factor of /,
    /^Removed the second factor of /,
    /already has no second factor\.$/,
  ],
  [
    "operator grant",
    () => [operators, "POST", { user: person.user.id, role: "operator" }],
    /^Would make \S+ operator\./,
    /^Made \S+ operator\./,
    /is already operator\.$/,
  ],
  [
    "operator revoke",
    () => [removals, "POST", { user: person.user.id }],
    /^Would make \S+ a user\./,
    /^Made \S+ a user\./,
    /is not an operator\.$/,
  ],
  [
    "user suspend",
    () => [suspension, "PUT", { user: person.user.id, suspended: true }],
    /^Would suspend /,
    /^Suspended /,
    /is already suspended\.$/,
  ],
  [
    "user unsuspend",
    () => [suspension, "PUT", { user: person.user.id, suspended: false }],
    /^Would unsuspend /,
    /^Unsuspended /,
    /is not suspended\.$/,
  ],
  [
    "ratelimit clear",
    () => [resets, "POST", { of: "203.0.113.77" }],
    /^Would clear no counters\.$/,
    /^Cleared no counters\.$/,
    /^Cleared no counters\.$/,
  ],
  [
    "mail suppression set",
    () => [mailSuppressions, "POST", { email: "messages@example.com" }],
    /^Would suppress mail to messages@example\.com\.$/,
    /^Suppressed mail to messages@example\.com\.$/,
    /^Suppressed mail to messages@example\.com\.$/,
  ],
  [
    "mail suppression lift",
    () => [suppressionLifts, "POST", { email: "messages@example.com" }],
    /^Would lift the suppression of messages@example\.com /,
    /^Lifted the suppression of messages@example\.com /,
    /^Mail to messages@example\.com is already not suppressed\.$/,
  ],
  [
    "outbox retry",
    () => [outboxRetries, "POST", {}],
    /^There are no failed mails/,
    /^There are no failed mails/,
    /^There are no failed mails/,
  ],
  [
    "redis rebuild",
    () => [rebuild, "POST", {}],
    /^Would rebuild /,
    /^Wrote the flags, /,
    /^Wrote the flags, /,
  ],
];

describe("the message of a change", () => {
  it.each(changes)(
    "tells what was done from what would be done and what was done before: %s",
    async (_, change, dry, real, again) => {
      expect((await send(change(), true)).done).toMatch(dry);
      expect((await send(change())).done).toMatch(real);
      expect((await send(change())).done).toMatch(again);
    },
  );

  it("does so for what has an ID", async () => {
    const incident: Change = [incidents, "POST", { title: "A drill", severity: "P3" }];
    expect((await send(incident, true)).done).toMatch(/^Would open the incident “A drill”/);
    const { id } = (await send(incident)).detail;
    const note: Change = [notes, "POST", { text: "a note" }, `incidents/${id}/notes`];
    expect((await send(note, true)).done).toMatch(/^Would add a note/);
    expect((await send(note)).done).toMatch(/^Added a note/);
    const close: Change = [closure, "POST", {}, `incidents/${id}/closure`];
    expect((await send(close, true)).done).toMatch(/^Would close/);
    expect((await send(close)).done).toMatch(/^Closed/);
    expect((await send(close)).done).toMatch(/is already closed\.$/);

    const block: Change = [blocks, "POST", { kind: "ip", value: "203.0.113.8", ttlSeconds: 60 }];
    const { id: blockId } = (await send(block)).detail;
    const lifting: Change = [lift, "POST", {}, `blocks/${blockId}/lift`];
    expect((await send(lifting, true)).done).toBe("Would lift the block of 203.0.113.8/32.");
    expect((await send(lifting)).done).toBe("Lifted the block of 203.0.113.8/32.");

    const given = { name: "of-the-messages", scopes: ["flag:read"], ttlSeconds: 60 };
    expect((await send([operatorTokens, "POST", given], true)).done).toBe(
      "Would create the token of-the-messages for flag:read.",
    );
    expect((await send([operatorTokens, "POST", given])).done).toMatch(
      /^Created the token of-the-messages for flag:read, until /,
    );
  });
});

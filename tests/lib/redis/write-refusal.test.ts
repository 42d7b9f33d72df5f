import { describe, expect, it } from "vitest";
import logout from "../../../api/auth/logout.js";
import refresh from "../../../api/auth/refresh.js";
import blocks from "../../../api/ops/blocks/index.js";
import flag from "../../../api/ops/flags/[name].js";
import revocations from "../../../api/ops/revocations.js";
import user from "../../../api/user/index.js";
import type { FaultCall } from "../../../dev/fault-proxy.js";
import { writeRefusal } from "../../../lib/redis/write-refusal.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { breakGlassToken, operate } from "../../support/operators.js";
import { aUser, type Person } from "../../support/people.js";
import { refuseWrites } from "../../support/refused-writes.js";
import { useStores } from "../../support/stores.js";

useEnvironment({ OPS_TOKEN: breakGlassToken });
const stores = useStores();
const lines = useLogLines();

const readOnly = "READONLY You can't write against a read only replica.";
const refusals = {
  READONLY: `${readOnly} script: 9a1b, on @user_script:1.`,
  NOREPLICAS: "NOREPLICAS Not enough good replicas to write.",
  MISCONF:
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist",
  OOM: "OOM command not allowed when used memory > 'maxmemory'.",
  NOPERM: "NOPERM User app has no permissions to run the 'eval' command",
} as const;

const read = ({ accessToken: token }: Person) => call(user, "GET", { token });
const keyOf = ({ sessionId }: Person) => stores.redis("EXISTS", `session:${sessionId}`);
const revoke = (which: object) => operate(revocations, "POST", breakGlassToken, which);
const block = (kind: string, value: string) =>
  operate(blocks, "POST", breakGlassToken, { kind, value, ttlSeconds: 3600 });
const switchOff = (name: string) =>
  call(flag, "PUT", {
    token: breakGlassToken,
    url: `http://localhost:8080/api/ops/flags/${name}`,
    body: { reason: "a test", enabled: false },
  });
const switchOn = (name: string) => stores.sql("delete from flags where name = $1", name);

/** Flags and blocks are cached for 3 s. */
const known = { timeout: 5000, interval: 200 };

describe("while Redis responds but refuses writes", () => {
  it.each(Object.entries(refusals))("refuses a logged-out session (%s)", async (_, error) => {
    const [person, other] = [await aUser(), await aUser()];
    refuseWrites(error);
    const { accessToken: token } = person;
    expect((await call(logout, "POST", { token })).status).toBe(204);
    expect(await keyOf(person)).toBe(1);
    expect(await read(person)).toMatchObject({ status: 401, code: "session_revoked" });
    expect((await read(other)).status).toBe(200);
  });

  it("refuses a session revoked by another instance, detected by the refused write of the rate limit", async () => {
    const person = await aUser();
    refuseWrites(readOnly);
    await stores.sql("update sessions set revoked_at = now() where id = $1", person.sessionId);
    expect(await read(person)).toMatchObject({ status: 401, code: "session_revoked" });
  });

  it("costs a request one Redis round trip and one more statement for its session", async () => {
    const person = await aUser();
    refuseWrites(readOnly);
    // Flags and blocks are read once in 3 s.
    expect((await read(person)).status).toBe(200);
    await stores.resetCalls();
    expect((await read(person)).status).toBe(200);
    const ofPerson = (calls: FaultCall[]) =>
      calls.filter(({ body }) => JSON.stringify(body).includes(person.sessionId));
    const { redis, postgres } = stores.faults;
    expect(ofPerson(redis.calls)).toHaveLength(1);
    expect(ofPerson(postgres.calls)).toHaveLength(1);
  });

  it("returns inForce: false to the operator, and enforces the change from Postgres", async () => {
    const [person, blocked] = [await aUser(), await aUser()];
    const acceptWrites = refuseWrites(readOnly);
    expect((await revoke({ user: person.user.id })).body).toMatchObject({ inForce: false });
    // Still not in force, although nothing new was revoked.
    expect((await revoke({ user: person.user.id })).body).toMatchObject({
      inForce: false,
      done: `No session of ${person.user.id} is live in Postgres: nothing new was revoked. Redis may still have sessions that were revoked before.`,
    });
    expect((await revoke({ session: person.sessionId })).body.inForce).toBe(false);
    expect((await block("ip", "203.0.113.9")).body).toMatchObject({ inForce: false });
    await expect.poll(async () => (await read(person)).code, known).toBe("session_revoked");
    acceptWrites();
    await expect.poll(() => keyOf(person), known).toBe(0);
    expect((await revoke({ user: person.user.id })).body).toMatchObject({ inForce: true });
    expect((await read(blocked)).status).toBe(200);
  });

  it("disables a route group, and a dry run returns inForce: true", async () => {
    const person = await aUser();
    refuseWrites(refusals.NOREPLICAS);
    expect((await revoke({ everybody: true, dryRun: true })).body).toMatchObject({ inForce: true });
    expect((await switchOff("auth")).body).toMatchObject({ inForce: false });
    const refreshed = () => call(refresh, "POST", { body: { refreshToken: person.refreshToken } });
    await expect.poll(async () => (await refreshed()).code, known).toBe("feature_disabled");
    await switchOn("auth");
  });

  it("revokes every session", async () => {
    const person = await aUser();
    await new Promise((resolve) => setTimeout(resolve, 2));
    refuseWrites(readOnly);
    expect((await revoke({ everybody: true })).body).toMatchObject({ inForce: false });
    expect(await read(person)).toMatchObject({ status: 401, code: "session_revoked" });
  });

  it("logs it once, and once more when Redis has caught up", async () => {
    const person = await aUser();
    const acceptWrites = refuseWrites(readOnly);
    for (let time = 0; time < 3; time++) expect((await read(person)).status).toBe(200);
    acceptWrites();
    const logged = (evt: string) => lines.read(evt).length;
    await expect.poll(() => logged("redis_caught_up"), known).toBe(1);
    expect(logged("redis_refuses_writes")).toBe(1);
    expect(logged("redis_unavailable")).toBe(0);
  });
});

describe("once Redis accepts writes again", () => {
  it("decides by Postgres until Redis has the refused writes, within 5 s", async () => {
    const [gone, stays] = [await aUser(), await aUser()];
    const acceptWrites = refuseWrites(refusals.MISCONF);
    expect((await call(logout, "POST", { token: gone.accessToken })).status).toBe(204);
    await block("ip", "203.0.113.8");
    acceptWrites();
    expect(await read(gone)).toMatchObject({ status: 401, code: "session_revoked" });
    await expect.poll(() => keyOf(gone), known).toBe(0);
    await expect.poll(() => stores.redis("SISMEMBER", "blocks", "203.0.113.8/32"), known).toBe(1);
    const cost = async () => {
      await stores.resetCalls();
      expect((await read(stays)).status).toBe(200);
      return stores.calls().postgresCalls;
    };
    await expect.poll(cost, known).toBe(1);
  });
});

describe("writeRefusal", () => {
  it.each([
    ["READONLY", "ERR Error running script (call to f_1): @user_script: 1: -READONLY You can't"],
    ["READONLY", readOnly],
    ["OOM", "OOM command not allowed"],
    [undefined, "WRONGTYPE Operation against a key holding the wrong kind of value"],
    [undefined, "NOSCRIPT No matching script."],
    [undefined, "ERR unknown command 'ROOM'"],
  ])("finds %s in: %s", (name, message) => {
    expect(writeRefusal(new Error("it failed", { cause: new Error(message) }))).toBe(name);
  });
});

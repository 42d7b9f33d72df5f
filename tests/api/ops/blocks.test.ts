import { beforeAll, describe, expect, it } from "vitest";
import login from "../../../api/auth/login.js";
import lift from "../../../api/ops/blocks/[blockId]/lift.js";
import blocks from "../../../api/ops/blocks/index.js";
import operatorTokens from "../../../api/ops/operator-tokens/index.js";
import user from "../../../api/user/index.js";
import { copyGateToRedis } from "../../../lib/admission/mirror.js";
import { secondsOf } from "../../../lib/cli/duration.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { drained } from "../../support/drained.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import {
  anOperator,
  breakGlassToken,
  type OperatorPerson,
  operate,
} from "../../support/operators.js";
import { anAddress, aUser, bindEmail, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const environment = {
  OPS_TOKEN: breakGlassToken,
  RATE_LIMIT_TRUSTED_IPS: "192.0.2.0/24",
  VERCEL: "1",
};
useEnvironment(environment);
const stores = useStores();
let operator: OperatorPerson;
beforeAll(async () => {
  setEnvironment(environment);
  operator = await anOperator(stores);
});

const block = (kind: string, value: string, more = {}) =>
  operate(blocks, "POST", operator.token, { kind, value, ttlSeconds: 3600, ...more });
const liftIt = (id: string, token = operator.token, more = {}) =>
  call(lift, "POST", {
    token,
    url: `http://localhost:8080/api/ops/blocks/${id}/lift`,
    body: { reason: "a test", ...more },
  });
const signIn = (ip: string) =>
  call(login, "POST", { ip, body: { email: "nobody@example.com", password: "not the password" } });

describe("blocking an IP address", () => {
  it("refuses requests of that address only, from the next request until the block is lifted", async () => {
    const { body } = await block("ip", "203.0.113.7");
    expect(body.undo).toContain(`block lift ${body.detail.id}`);
    expect(await signIn("203.0.113.7")).toMatchObject({ status: 403, code: "address_blocked" });
    expect((await signIn("203.0.113.8")).status).toBe(401);
    const { accessToken: token } = await aUser();
    expect((await call(user, "GET", { token, ip: "203.0.113.7" })).code).toBe("address_blocked");
    await stores.settled();
    const [event] = await stores.sql("select * from security_events where event = 'ip_blocked'");
    expect(event).toMatchObject({ ip: "203.0.113.7" });
    await liftIt(body.detail.id);
    expect((await signIn("203.0.113.7")).status).toBe(401);
    expect((await liftIt(body.detail.id)).status).toBe(404);
  });

  it("refuses a malformed body of that address with 403, at the same cost as 422", async () => {
    const ip = "203.0.113.11";
    const malformed = () => call(login, "POST", { ip, body: { email: 1 } });
    const cost = async () => {
      await stores.settled();
      const calls = stores.calls();
      await stores.resetCalls();
      return calls;
    };
    await malformed();
    await cost();
    expect((await malformed()).code).toBe("validation_failed");
    const before = await cost();
    expect(before).toMatchObject({ redisTrips: 1, postgresCalls: 0 });
    const { body } = await block("ip", ip);
    await cost();
    expect(await malformed()).toMatchObject({ status: 403, code: "address_blocked" });
    // Its security event is written after the reply.
    const { redisTrips } = stores.calls();
    expect(redisTrips).toBe(1);
    await liftIt(body.detail.id);
    expect((await malformed()).code).toBe("validation_failed");
  });

  it("returns an undo command that can be typed, for any remaining duration", async () => {
    const ttlSeconds = 30 * 86_400;
    const { body } = await block("ip", "203.0.113.9", { ttlSeconds });
    const [, ttl = ""] = / --ttl (\S+) /.exec((await liftIt(body.detail.id)).body.undo) ?? [];
    expect(secondsOf(ttl)).toBeGreaterThan(ttlSeconds - 60);
  });

  it("returns an undo that restores the block it replaced, and stores its own kind", async () => {
    const first = await block("cidr", "203.0.113.61/32", { ttlSeconds: 7200 });
    const { body } = await block("ip", "203.0.113.61", { ttlSeconds: 60 });
    const stored = (await call(blocks, "GET", { token: operator.token })).body.items;
    const { id } = first.body.detail;
    expect(stored.find((each: { id: string }) => each.id === id).kind).toBe("ip");
    const [, value, ttl = ""] = / block cidr (\S+) --ttl (\S+) /.exec(body.undo) ?? [];
    expect(value).toBe("203.0.113.61/32");
    expect(secondsOf(ttl)).toBeGreaterThan(7200 - 60);
    await liftIt(id);
  });

  it("writes audit rows under the block's ID, without the address, when it is set, renewed and lifted", async () => {
    const { body } = await block("ip", "203.0.113.60");
    const again = await block("ip", "203.0.113.60");
    expect(again.body.detail.id).toBe(body.detail.id);
    await liftIt(body.detail.id);
    const rows = await stores.sql(
      "select * from audit_log where subject_id = $1 order by id",
      body.detail.id,
    );
    expect(rows.map(({ action }) => action)).toEqual(["block.set", "block.set", "block.lifted"]);
    expect(JSON.stringify(await stores.sql("select * from audit_log"))).not.toContain(
      "203.0.113.60",
    );
  });

  it.each([
    ["10.20.0.0/16", "10.20.30.40", "10.21.0.1"],
    ["2001:db8:1::/48", "2001:db8:1:2::3", "2001:db8:2::1"],
  ])("applies a network block (%s) to every address in it", async (network, inside, outside) => {
    const { status, body } = await block("cidr", network);
    expect(status, JSON.stringify(body)).toBe(200);
    expect((await signIn(inside)).code).toBe("address_blocked");
    expect((await signIn(outside)).status).toBe(401);
    await liftIt(body.detail.id);
  });

  it("shows in a dry run which recent requests it would have refused", async () => {
    const { accessToken: token, user: caller } = await aUser();
    for (const ip of ["198.18.7.5", "198.18.7.5", "198.18.8.9", "198.19.0.1"]) {
      await call(blocks, "GET", { ip });
    }
    await call(user, "GET", { token, ip: "198.18.7.6" });
    await drained(stores);
    await stores.sql(
      "update access_log set at = at - interval '16 minutes' where ip_prefix = '198.19.0.0/24'",
    );
    const would = async (kind: string, value: string) =>
      (await block(kind, value, { dryRun: true })).body;
    const network = await would("cidr", "198.18.0.0/16");
    expect(network.done).toBe(
      "Would block 198.18.0.0/16 for 3600 s. Requests from 198.18.0.0/16 in the last 15 minutes: 4 (/api/ops/blocks 3, /api/user 1), from 2 networks, by at least 1 signed-in user.",
    );
    expect(network.detail).toMatchObject({ requests: 4, networks: 2, users: 1 });
    expect((await would("ip", "198.18.8.200")).done).toContain(
      "Requests from 198.18.8.0/24 in the last 15 minutes: 1 (/api/ops/blocks 1), from 1 network. The access log has no smaller network.",
    );
    expect((await would("cidr", "198.19.0.0/24")).done).toContain("in the last 15 minutes: none.");
    expect((await would("cidr", "2001:db8:9::/64")).done).toContain("from 2001:db8:9::/48 in");
    expect((await would("user", caller.id)).done).toContain(
      "Requests of this user in the last 15 minutes: ",
    );
    expect((await would("user", caller.id)).detail).toMatchObject({ users: 1, networks: 1 });
  });

  it("returns 422 for an invalid value and 409 for a protected address", async () => {
    for (const [kind, value] of [
      ["cidr", "10.0.0.0/9"],
      ["ip", "here"],
      ["ip", "10.0.0.0/8"],
      ["cidr", "1.2.3.4/33"],
    ] as const) {
      expect(await block(kind, value)).toMatchObject({ status: 422, code: "validation_failed" });
    }
    const reason = async (...given: Parameters<typeof block>) => {
      const { status, code, body } = await block(...given);
      expect({ status, code }).toEqual({ status: 409, code: "block_protected" });
      return body.errors[0].message;
    };
    const trusted = "RATE_LIMIT_TRUSTED_IPS has 192.0.2.0/24.";
    expect(await reason("ip", "192.0.2.1")).toBe(trusted);
    expect(await reason("cidr", "192.0.0.0/16")).toBe(trusted);
    for (const address of ["::1", "127.0.0.1"]) {
      expect(await reason("ip", address)).toBe(`${address} is the server itself.`);
    }
    const own = anAddress();
    const answer = await call(blocks, "POST", {
      token: operator.token,
      ip: own,
      body: { kind: "ip", value: own, ttlSeconds: 60, reason: "a test" },
    });
    expect(answer.code).toBe("block_protected");
    expect(answer.body.errors[0].message).toBe(`You call from ${own}.`);
    expect((await block("ip", "203.0.113.9", { ttlSeconds: 59 })).status).toBe(422);
  });

  it("ends a block within a minute after it expires", async () => {
    await block("ip", "203.0.113.20", { ttlSeconds: 60 });
    await stores.sql(
      "update blocks set expires_at = now() - interval '1 second' where value like '203.0.113.20%'",
    );
    await copyGateToRedis(aContext());
    expect((await signIn("203.0.113.20")).status).toBe(401);
  });

  it("applies while Redis is unavailable and after it has lost its data", async () => {
    const { body } = await block("ip", "203.0.113.30");
    await stores.redis("FLUSHDB");
    expect((await signIn("203.0.113.30")).code).toBe("address_blocked");
    await stores.settled();
    expect(await stores.redis("SISMEMBER", "blocks", "203.0.113.30/32")).toBe(1);
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await signIn("203.0.113.30")).code).toBe("address_blocked");
    const malformed = { ip: "203.0.113.30", body: { email: 1 } };
    expect((await call(login, "POST", malformed)).code).toBe("address_blocked");
    await stores.faults.redis.set(null);
    await liftIt(body.detail.id);
  });

  it("is listed as not in force until Redis has it", async () => {
    const inForce = async () =>
      (await call(blocks, "GET", { token: operator.token })).body.inForce as boolean;
    await stores.faults.redis.set({ kind: "refuse" });
    const { body } = await block("ip", "203.0.113.81");
    expect(body).toMatchObject({ inForce: false });
    expect(await inForce()).toBe(false);
    await stores.faults.redis.set(null);
    await expect.poll(inForce, { timeout: 30_000 }).toBe(true);
    await liftIt(body.detail.id);
  });

  it("never blocks the break-glass token, which can lift the block", async () => {
    const ip = "203.0.113.80";
    const { body } = await block("cidr", "203.0.113.0/24");
    const { token } = operator;
    expect((await call(blocks, "GET", { token, ip })).code).toBe("address_blocked");
    const wrong = await call(blocks, "GET", { token: `${breakGlassToken}x`, ip });
    expect(wrong.code).toBe("token_invalid");
    const lifted = await call(lift, "POST", {
      token: breakGlassToken,
      ip,
      url: `http://localhost:8080/api/ops/blocks/${body.detail.id}/lift`,
      body: { reason: "a test" },
    });
    expect(lifted.status).toBe(200);
    expect((await call(blocks, "GET", { token, ip })).status).toBe(200);
  });

  it("supports any number of blocks", async () => {
    await stores.sql(
      `insert into blocks (id, kind, value, reason, created_by, created_at, expires_at)
       select gen_random_uuid(), 'ip', '100.64.' || n / 256 || '.' || n % 256 || '/32', 'many', 'x',
         now(), now() + interval '1 hour' from generate_series(1, 20000) n`,
    );
    await copyGateToRedis(aContext());
    expect((await signIn("100.64.78.32")).code).toBe("address_blocked");
    await stores.sql("delete from blocks where reason = 'many'");
    await copyGateToRedis(aContext());
    expect((await signIn("100.64.78.32")).status).toBe(401);
  });

  it("accepts the break-glass token, and sets nothing in a dry run", async () => {
    const set = (more: object) =>
      operate(blocks, "POST", breakGlassToken, {
        kind: "ip",
        value: "203.0.113.40",
        ttlSeconds: 60,
        ...more,
      });
    expect((await set({ dryRun: true })).status).toBe(200);
    expect((await signIn("203.0.113.40")).status).toBe(401);
    expect((await set({})).status).toBe(200);
    expect((await signIn("203.0.113.40")).code).toBe("address_blocked");
  });
});

/** Two admins, the second with a token for blocks. */
async function anAdminToBlock() {
  const [admin, rogue] = [await anOperator(stores, "admin"), await anOperator(stores, "admin")];
  const given = { name: `of-${rogue.user.id}`, scopes: ["block:*"], ttlSeconds: 3600 };
  const made = await operate(operatorTokens, "POST", rogue.token, given);
  return { admin, rogue, token: made.body.detail.token as string };
}

async function blockBy(admin: OperatorPerson, { user: { id } }: OperatorPerson) {
  const given = { kind: "user", value: id, ttlSeconds: 3600 };
  const set = await operate(blocks, "POST", admin.token, given);
  expect(set.status).toBe(200);
  return set.body.detail as { id: string };
}

const liveSessions = (userId: string) =>
  stores.sql("select from sessions where user_id = $1 and revoked_at is null", userId);

describe("blocking an account", () => {
  it("revokes its sessions and returns account_blocked, not address_blocked", async () => {
    const person = await aUser();
    await bindEmail(stores, person);
    const { body } = await block("user", person.email);
    expect(body.detail).toMatchObject({ sessionsEnded: 1, value: `user:${person.user.id}` });
    const answer = await call(user, "GET", { token: person.accessToken });
    expect(answer).toMatchObject({ status: 403, code: "account_blocked" });
    const [session] = await stores.sql("select * from sessions where id = $1", person.sessionId);
    expect(session).toMatchObject({ revoked_reason: "account_blocked" });
    expect(
      JSON.stringify(await stores.sql("select * from audit_log where action = 'block.set'")),
    ).not.toContain("@");
    await liftIt(body.detail.id);
    expect((await call(user, "GET", { token: person.accessToken })).code).toBe("session_revoked");
  });

  it("writes audit rows under the user's ID when it is set and lifted", async () => {
    const person = await aUser();
    const { body } = await block("user", person.user.id);
    await liftIt(body.detail.id);
    const rows = await stores.sql(
      "select * from audit_log where subject_id = $1 and action like 'block.%' order by id",
      person.user.id,
    );
    expect(rows.map(({ action }) => action)).toEqual(["block.set", "block.lifted"]);
  });

  it("refuses a sign-in with the correct password until the block is lifted", async () => {
    const person = await aUser();
    await bindEmail(stores, person);
    const { body } = await block("user", person.user.id);
    const signInWith = (typed: string) =>
      call(login, "POST", { ip: anAddress(), body: { email: person.email, password: typed } });
    expect(await signInWith(password)).toMatchObject({ status: 403, code: "account_blocked" });
    // A wrong password does not reveal the block.
    expect((await signInWith("not the password")).code).toBe("invalid_credentials");
    expect(await liveSessions(person.user.id)).toEqual([]);
    await liftIt(body.detail.id);
    expect((await signInWith(password)).status).toBe(200);
  });

  it("leaves no session when the block is set during a sign-in", async () => {
    const person = await aUser();
    await bindEmail(stores, person);
    let isSet = false;
    const setBefore = async (sent: unknown) => {
      if (isSet || !JSON.stringify(sent).includes("knows_device")) return false;
      isSet = true;
      await block("user", person.user.id);
      return false;
    };
    await stores.faults.postgres.set({ kind: "latency", ms: 1, match: setBefore });
    const answer = await call(login, "POST", {
      ip: anAddress(),
      body: { email: person.email, password },
    });
    expect(isSet).toBe(true);
    expect(answer).toMatchObject({ status: 503, code: "service_unavailable" });
    expect(await liveSessions(person.user.id)).toEqual([]);
  });

  it("requires an admin for an operator's account, and refuses the caller's own account", async () => {
    const other = await anOperator(stores);
    expect((await block("user", other.user.id)).code).toBe("forbidden");
    const admin = await anOperator(stores, "admin");
    const set = (value: string) =>
      operate(blocks, "POST", admin.token, { kind: "user", value, ttlSeconds: 60 });
    expect(await set(admin.user.id)).toMatchObject({
      code: "block_protected",
      body: { errors: [{ message: "This is your own account." }] },
    });
    expect((await set(other.user.id)).status).toBe(200);
  });

  it("revokes the tokens that a blocked admin created", async () => {
    const { admin, rogue, token } = await anAdminToBlock();
    await blockBy(admin, rogue);
    expect(await call(blocks, "GET", { token })).toMatchObject({ code: "operator_token_ended" });
  });

  it("requires an admin to lift the block of an operator", async () => {
    const { admin, rogue } = await anAdminToBlock();
    const { token } = await anAdminToBlock();
    const { id } = await blockBy(admin, rogue);
    for (const answer of [
      await liftIt(id),
      await liftIt(id, token),
      await liftIt(id, operator.token, { dryRun: true }),
    ]) {
      expect(answer).toMatchObject({ status: 403, code: "forbidden" });
    }
    expect((await liftIt(id, admin.token)).status).toBe(200);
  });

  it("lets the break-glass token lift an operator's block, but not set one", async () => {
    const { admin, rogue } = await anAdminToBlock();
    const given = { kind: "user", value: rogue.user.id, ttlSeconds: 60 };
    const set = await operate(blocks, "POST", breakGlassToken, given);
    expect(set).toMatchObject({ status: 403, code: "forbidden" });
    const { id } = await blockBy(admin, rogue);
    expect((await liftIt(id, breakGlassToken)).status).toBe(200);
  });

  it("returns 403 when the calling admin is blocked during the request, so that one admin remains", async () => {
    const { admin, rogue } = await anAdminToBlock();
    let blocked = false;
    const blockBefore = async (sent: unknown) => {
      if (blocked || !/insert into .{0,4}blocks/.test(JSON.stringify(sent))) return false;
      blocked = true;
      await blockBy(admin, rogue);
      return false;
    };
    await stores.faults.postgres.set({ kind: "latency", ms: 1, match: blockBefore });
    const given = { kind: "user", value: admin.user.id, ttlSeconds: 60 };
    const answer = await operate(blocks, "POST", rogue.token, given);
    expect(blocked).toBe(true);
    expect(answer).toMatchObject({ status: 403, code: "forbidden" });
    expect((await call(blocks, "GET", { token: admin.token })).status).toBe(200);
  });
});

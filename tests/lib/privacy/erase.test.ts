import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import cancelDeletion from "../../../api/auth/cancel-deletion.js";
import forgotPassword from "../../../api/auth/forgot-password.js";
import login from "../../../api/auth/login.js";
import refresh from "../../../api/auth/refresh.js";
import cleanup from "../../../api/cron/cleanup.js";
import tick from "../../../api/cron/tick.js";
import exportRoute from "../../../api/user/export.js";
import user from "../../../api/user/index.js";
import { eraseAccount } from "../../../lib/privacy/erase.js";
import { erasureKind } from "../../../lib/privacy/erasure-kind.js";
import { findPerson } from "../../../lib/privacy/person.js";
import { eraseLateRows, purgeDue } from "../../../lib/privacy/purge.js";
import { runDue } from "../../../lib/queue/run-due.js";
import { jobKinds } from "../../../lib/schedule/job-kinds.js";
import { runJobs } from "../../../lib/schedule/run-jobs.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { useEnvironment } from "../../support/environment.js";
import { aFullAccount, anotherId } from "../../support/full-account.js";
import { useLogLines } from "../../support/log-lines.js";
import {
  aBoundUser,
  aGuest,
  anAddress,
  aUser,
  earn,
  password,
  someUsers,
} from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const cronSecret = "cron-secret-of-the-tests";
useEnvironment({ CRON_SECRET: cronSecret });
const stores = useStores();
const lines = useLogLines();

const inDays = (days: number) => ({
  ...aContext(),
  now: new Date(Date.now() + days * 86_400_000),
});

/** Each table with rows that contain one of the texts. */
async function tablesWith(texts: string[]): Promise<string[]> {
  const tables = await stores.sql(
    `select relname from pg_class where relnamespace = 'public'::regnamespace
       and relkind in ('r', 'p') and not relispartition order by 1`,
  );
  const found: string[] = [];
  for (const { relname } of tables) {
    const [row] = await stores.sql(
      `select count(*) from ${relname} t where exists (
        select 1 from unnest($1::text[]) as text where to_jsonb(t)::text ilike '%' || text || '%')`,
      `{${texts.map((text) => `"${text}"`).join(",")}}`,
    );
    if (row?.count !== "0") found.push(relname ?? "");
  }
  return found;
}

/** Each key of Redis that contains one of the texts, in its name or its value. */
async function keysWith(texts: string[]): Promise<string[]> {
  const keys = (await stores.redis("KEYS", "*")) as string[];
  const found: string[] = [];
  for (const key of keys) {
    const read: Record<string, string[]> = {
      string: ["GET", key],
      hash: ["HGETALL", key],
      set: ["SMEMBERS", key],
      stream: ["XRANGE", key, "-", "+"],
    };
    const type = (await stores.redis("TYPE", key)) as string;
    const value = JSON.stringify(await stores.redis(...(read[type] ?? ["TYPE", key])));
    if (texts.some((text) => key.includes(text) || value.includes(text))) found.push(key);
  }
  return found.filter((key) => key !== "events");
}

async function leave(person: { user: { id: string }; accessToken: string }) {
  await stores.sql("update users set role = 'user' where id = $1", person.user.id);
  await stores.sql("delete from blocks where value = 'user:' || $1::text", person.user.id);
  const { status } = await call(user, "DELETE", { token: person.accessToken });
  expect(status).toBe(202);
}

describe("the purge", () => {
  it("leaves no row of the account, but audit rows, receipts and records with IDs only", async () => {
    const ada = await aFullAccount(stores);
    await leave(ada);
    const texts = [ada.user.id, ada.guestId, ada.mark, ada.email];
    const known = await findPerson(aContext(), ada.user.id);
    expect(await purgeDue(inDays(13.9), Number.POSITIVE_INFINITY)).toEqual({ erased: 0 });
    // Counters have the name of their window: the clock stays.
    await stores.sql(
      "update users set purge_at = purge_at - interval '14 days' where id = $1",
      ada.user.id,
    );
    const soon = inDays(1 / 86_400);
    expect(await purgeDue(soon, Number.POSITIVE_INFINITY)).toEqual({ erased: 1 });
    await stores.settled();
    await eraseLateRows(aContext());
    expect(await tablesWith(texts)).toEqual([
      "audit_log",
      "erasures",
      "incident_notes",
      "incidents",
      "restore_drills",
    ]);
    const secret = [ada.mark, ada.email, ...ada.email.split("@", 1)];
    expect(await tablesWith(secret)).toEqual([]);
    const hashes = [...(known?.addressHashes ?? []), ...(known?.limitKeys ?? [])];
    expect(await tablesWith(hashes)).toEqual(["suppressed_addresses"]);
    expect(await tablesWith(known?.userHashes ?? [])).toEqual(["access_log"]);
    const receipts = await stores.sql(
      "select user_id from erasures where user_id in ($1, $2) order by 1",
      ada.user.id,
      ada.guestId,
    );
    expect(receipts.map(({ user_id }) => user_id)).toEqual([ada.user.id, ada.guestId].sort());
    const audits = await stores.sql(
      "select subject_id from audit_log where action = 'account.erased' and actor_kind = 'system' order by 1",
    );
    expect(audits.map(({ subject_id }) => subject_id)).toEqual([ada.user.id, ada.guestId].sort());
  });

  it("leaves no key of the account in Redis but the copy of its receipt", async () => {
    const ada = await aFullAccount(stores);
    await call(exportRoute, "GET", { token: ada.accessToken });
    await call(login, "POST", {
      body: { email: ada.email, password: "wrong password" },
      ip: anAddress(),
    });
    const known = await findPerson(aContext(), ada.user.id);
    await leave(ada);
    const texts = [ada.user.id, ada.guestId, ada.deviceId, ...(known?.limitKeys ?? [])];
    expect((await keysWith([...texts, ada.sessionId])).length).toBeGreaterThan(0);
    await stores.sql(
      "update sessions set revoked_at = now() - interval '14 days' where user_id = $1",
      ada.user.id,
    );
    await purgeDue(inDays(14.1), Number.POSITIVE_INFINITY);
    await stores.settled();
    // Counters of the day of the request, which expire with it, are of this moment only in the test.
    await eraseAccount(aContext(), ada.user.id, "replay");
    expect(
      (await keysWith([...texts, ada.sessionId])).filter((key) => !key.startsWith("rate:")),
    ).toEqual(["erasures"]);
  });

  it("leaves no copy of its deletions, requested or cancelled, that names it", async () => {
    const ada = await aBoundUser(stores);
    const { body } = await call(user, "DELETE", { token: ada.accessToken });
    await call(cancelDeletion, "POST", {
      body: { cancelToken: body.cancelToken },
      ip: anAddress(),
    });
    const signedIn = await call(login, "POST", {
      body: { email: ada.email, password },
      ip: anAddress(),
    });
    await call(user, "DELETE", { token: signedIn.body.accessToken });
    await stores.settled();
    expect(JSON.stringify(await stores.redis("HGETALL", "deletions"))).toContain(ada.user.id);
    await purgeDue(inDays(14.1), Number.POSITIVE_INFINITY);
    expect(JSON.stringify(await stores.redis("HGETALL", "deletions"))).not.toContain(ada.user.id);
  });

  it("keeps who tried to sign in to the account, and from where, but not to which account", async () => {
    await stores.sql("delete from security_events");
    const ada = await aFullAccount(stores);
    await eraseAccount(aContext(), ada.user.id, "replay");
    const rows = await stores.sql(
      "select user_id, ip, data from security_events where event = 'e' and ip is not null order by user_id, data",
    );
    const ofStranger = { user_id: null, ip: "203.0.113.9" };
    expect(rows.map((row) => ({ ...row, data: JSON.parse(row.data ?? "") }))).toEqual([
      { ...ofStranger, user_id: anotherId, data: {} },
      { ...ofStranger, data: {} },
      { ...ofStranger, data: {} },
      { ...ofStranger, data: { count: 400 } },
      { ...ofStranger, data: { operation: "gdpr" } },
    ]);
  });

  it("of a claim keeps the sign-in delay and the failures of the address's owner", async () => {
    const owner = await aBoundUser(stores);
    const wrong = () =>
      call(login, "POST", {
        body: { email: owner.email, password: "wrong password" },
        ip: anAddress(),
      });
    for (let turn = 0; turn < 5; turn++) await wrong();
    await stores.faults.redis.set({ kind: "refuse" });
    for (let turn = 0; turn < 5; turn++) await wrong();
    await stores.faults.redis.set(null);
    await stores.settled();
    const stranger = await aUser({ email: owner.email, device: { id: owner.deviceId } });
    const limitKeys = (await findPerson(aContext(), owner.user.id))?.limitKeys ?? [];
    const counted = async () => ({
      redis: await keysWith(limitKeys),
      postgres: await tablesWith(limitKeys),
    });
    const before = await counted();
    expect(before.redis).toEqual(
      expect.arrayContaining([
        `failures:account:${limitKeys[0]}`,
        `rate:account:account:${limitKeys[0]}`,
      ]),
    );
    expect(before.postgres).toContain("login_delays");
    await eraseAccount(aContext(), stranger.user.id, "replay");
    expect(await counted()).toEqual(before);
  });

  it("of an account that gave up its address keeps the codes and budgets of who has it now", async () => {
    const [before, now] = [await aBoundUser(stores), await aBoundUser(stores)];
    await stores.sql(
      "insert into email_changes values (gen_random_uuid(), $1, $2, now(), now() + interval '7 days')",
      before.user.id,
      now.email,
    );
    await call(forgotPassword, "POST", { body: { email: now.email }, ip: anAddress() });
    await stores.settled();
    const [budget = ""] =
      (await findPerson(aContext(), now.user.id))?.addressHashes.slice(-1) ?? [];
    const held = () => tablesWith([now.email, budget]);
    const found = (await held()).filter((table) => table !== "email_changes");
    expect(found).toEqual(["mail_budgets", "mail_codes", "queue_entries", "users"]);
    await eraseAccount(aContext(), before.user.id, "replay");
    expect(await held()).toEqual(found);
  });

  it("leaves no counter of the account's resets, of its sessions, or under an earlier data key", async () => {
    const ada = await aBoundUser(stores);
    const { limitKeys = [] } = (await findPerson(aContext(), ada.user.id)) ?? {};
    const keys = [
      ...limitKeys.map((key) => `rate:account:account:${key}`),
      ...limitKeys.map((key) => `rate:account:account-session:${key}/${ada.sessionId}`),
      ...limitKeys.map((key) => `failures:account:${key}`),
    ];
    expect(keys).toHaveLength(6);
    for (const key of keys) await stores.redis("HSET", key, "failures", "5");
    await eraseAccount(aContext(), ada.user.id, "replay");
    expect(await stores.redis("EXISTS", ...keys)).toBe(0);
  });

  it("deletes the key of a session that began after the account was read", async () => {
    const guest = await aGuest();
    const ctx = aContext();
    const late = "late-session-of-a-test";
    let isPlanted = false;
    const db = new Proxy(ctx.db, {
      get(target, name) {
        if (name !== "batch") return Reflect.get(target, name);
        return async (statements: Parameters<typeof target.batch>[0]) => {
          if (statements.length > 5 && !isPlanted) {
            isPlanted = true;
            await stores.sql(
              `insert into sessions (id, user_id, auth_methods, authenticated_at, created_at, last_seen_at, idle_expires_at)
               values ($1, $2, '{}', now(), now(), now(), now() + interval '1 day')`,
              late,
              guest.user.id,
            );
            await stores.redis("HSET", `session:${late}`, "user", guest.user.id);
          }
          return target.batch(statements);
        };
      },
    });
    expect(await eraseAccount({ ...ctx, db }, guest.user.id, "guest")).toBe(true);
    expect(isPlanted).toBe(true);
    expect(await stores.redis("EXISTS", `session:${late}`)).toBe(0);
  });

  it("erases nothing of anybody else", async () => {
    const [ada, grace] = [await aFullAccount(stores), await aFullAccount(stores)];
    const of = [grace.user.id, grace.guestId, grace.mark, grace.email];
    const before = await tablesWith(of);
    await leave(ada);
    await purgeDue(inDays(14.1), Number.POSITIVE_INFINITY);
    expect(await tablesWith(of)).toEqual(before);
    expect((await call(user, "GET", { token: grace.accessToken })).body.name).toBe(grace.mark);
  });

  it("removes the account from blocks and flags in Redis, too", async () => {
    const ada = await aFullAccount(stores);
    await stores.sql("update users set role = 'user', purge_at = now() where id = $1", ada.user.id);
    await stores.sql(
      "update blocks set expires_at = now() + interval '1 day' where value = 'user:' || $1::text",
      ada.user.id,
    );
    await call(tick, "GET", { token: cronSecret });
    expect(await stores.redis("SISMEMBER", "blocks", `user:${ada.user.id}`)).toBe(1);
    expect(String(await stores.redis("HGET", "gate", "flags"))).toContain(ada.user.id);
    await eraseAccount(inDays(0.1), ada.user.id, "due");
    expect(await stores.redis("SISMEMBER", "blocks", `user:${ada.user.id}`)).toBe(0);
    const flags = String(await stores.redis("HGET", "gate", "flags"));
    expect([flags.includes(ada.user.id), flags.includes("another")]).toEqual([false, true]);
  });

  it("runs in the cleanup job, and is not stopped by one account that fails", async () => {
    const [ada, grace] = [await aUser(), await aUser()];
    await stores.sql(
      "update users set purge_at = now() - interval '2 days' where id = $1",
      ada.user.id,
    );
    await stores.sql(
      "update users set purge_at = now() - interval '1 day' where id = $1",
      grace.user.id,
    );
    await stores.sql(
      `create function refuse_erasure() returns trigger language plpgsql as
       'begin raise exception ''a planted failure''; end'`,
    );
    await stores.sql(
      `create trigger planted before delete on users for each row when (old.id = '${ada.user.id}') execute function refuse_erasure()`,
    );
    const failed = await call(cleanup, "GET", { token: cronSecret });
    expect(failed.status).toBe(500);
    expect(await stores.sql("select 1 from users where id = $1", ada.user.id)).toHaveLength(1);
    expect(await stores.sql("select 1 from users where id = $1", grace.user.id)).toEqual([]);
    expect(lines.read("purge_failed")[0]?.data.userId).toBe(ada.user.id);
    await stores.sql("drop trigger planted on users");
    await stores.sql("drop function refuse_erasure");
    expect(
      (await call(cleanup, "GET", { token: cronSecret })).body.parts.purge_accounts.detail,
    ).toEqual({ erased: 1 });
  });

  it("does not come to the same accounts first in each run", async () => {
    const people = await someUsers(12);
    const ids = people.map(({ user }) => user.id);
    for (const [hours, id] of ids.entries()) {
      await stores.sql(
        "update users set purge_at = now() - interval '1 hour' * $2::int where id = $1",
        id,
        String(hours + 1),
      );
    }
    await stores.sql(
      `create function refuse_erasure() returns trigger language plpgsql as
       'begin raise exception ''a planted failure''; end'`,
    );
    await stores.sql(
      "create trigger planted before delete on users for each row execute function refuse_erasure()",
    );
    const orders = new Set<string>();
    while (orders.size < 2) {
      await purgeDue(aContext(), Number.POSITIVE_INFINITY).catch(() => {});
      orders.add(
        lines
          .read("purge_failed")
          .slice(-12)
          .map(({ data }) => data.userId)
          .join(),
      );
    }
    await stores.sql("drop trigger planted on users");
    await stores.sql("drop function refuse_erasure");
    expect(await purgeDue(aContext(), Number.POSITIVE_INFINITY)).toEqual({ erased: 12 });
  });

  it("erases once when two processes run it", async () => {
    const people = [await aUser(), await aUser(), await aUser()];
    for (const {
      user: { id },
    } of people) {
      await stores.sql("update users set purge_at = now() where id = $1", id);
    }
    const runs = await Promise.all([
      purgeDue(inDays(0.1), Number.POSITIVE_INFINITY),
      purgeDue(inDays(0.1), Number.POSITIVE_INFINITY),
    ]);
    expect(runs.reduce((sum, { erased }) => sum + erased, 0)).toBe(3);
    const [row] = await stores.sql(
      "select count(*) from audit_log where action = 'account.erased' and subject_id = $1",
      people[0]?.user.id ?? "",
    );
    expect(row?.count).toBe("1");
  });

  it("follows in Redis when Redis is back, also if the process stops in between", async () => {
    const guest = await aGuest();
    await stores.faults.redis.set({ kind: "refuse" });
    expect(await eraseAccount(aContext(), guest.user.id, "guest")).toBe(true);
    await stores.faults.redis.set(null);
    expect(await stores.redis("EXISTS", `session:${guest.sessionId}`)).toBe(1);
    const [entry] = await stores.sql(
      "select kind, dead_at from queue_entries where kind = 'erasure'",
    );
    expect(entry).toEqual({ kind: "erasure", dead_at: null });
    await stores.sql(
      "update queue_entries set run_after = now() - interval '1 second' where kind = 'erasure'",
    );
    await runJobs(aContext(), jobKinds, Number.POSITIVE_INFINITY);
    expect(await stores.redis("EXISTS", `session:${guest.sessionId}`)).toBe(0);
    expect(await stores.sql("select 1 from queue_entries where kind = 'erasure'")).toEqual([]);
    expect(await keysWith([guest.user.id])).toEqual(["erasures"]);
  });

  it("is not undone by a refresh, a write or an export at the same time", async () => {
    for (let turn = 0; turn < 5; turn++) {
      const guest = await aGuest();
      await earn(stores, guest, 5);
      const token = guest.accessToken;
      const answers = await Promise.allSettled([
        call(user, "PATCH", { token, body: { name: "Back" } }),
        call(refresh, "POST", { body: { refreshToken: guest.refreshToken } }),
        call(user, "DELETE", { token }),
        exportText(token),
        call(user, "PATCH", { token, body: { name: "Again" } }),
        call(refresh, "POST", { body: { refreshToken: guest.refreshToken } }),
      ]);
      for (const answer of answers) {
        if (answer.status === "rejected")
          expect(String(answer.reason)).toContain("session_revoked");
        else if (typeof answer.value === "object") expect(answer.value.status).toBeLessThan(500);
      }
      await stores.settled();
      await eraseLateRows(aContext());
      expect(await tablesWith([guest.user.id])).toEqual(["audit_log", "erasures"]);
      expect(await keysWith([guest.user.id])).toEqual(["erasures"]);
      expect(await stores.redis("EXISTS", `session:${guest.sessionId}`)).toBe(0);
      expect((await call(user, "GET", { token })).status).toBe(401);
    }
  });

  it("keeps the pending deletion of an account whose password is reset", async () => {
    const ada = await aBoundUser(stores);
    await call(user, "DELETE", { token: ada.accessToken });
    await stores.sql("update users set password_hash = password_hash where id = $1", ada.user.id);
    const body = { email: ada.email, password };
    expect((await call(login, "POST", { body, ip: anAddress() })).code).toBe("deletion_pending");
  });

  it("lets the address be used for a new account", async () => {
    const ada = await aBoundUser(stores);
    await call(user, "DELETE", { token: ada.accessToken });
    await purgeDue(inDays(14.1), Number.POSITIVE_INFINITY);
    const again = await aUser({ email: ada.email });
    expect(again.user.id).not.toBe(ada.user.id);
  });

  it("has a limited number of statements, whatever the account has", async () => {
    const [small, full] = [await aUser(), await aFullAccount(stores)];
    const cost = async (id: string) => {
      await stores.resetCalls();
      await eraseAccount(aContext(), id, "replay");
      return stores.calls().postgresCalls;
    };
    expect(await cost(small.user.id)).toBe(4);
    expect(await cost(full.user.id)).toBeLessThanOrEqual(7);
  });
});

async function exportText(token: string): Promise<string> {
  const response = await exportRoute.fetch(
    new Request("http://localhost:8080/api/user/export", {
      headers: { authorization: `Bearer ${token}`, "x-vercel-forwarded-for": anAddress() },
    }),
  );
  return response.text();
}

describe("the hourly cleanup", () => {
  it("erases what was written about the account after the erasure", async () => {
    const guest = await aGuest();
    const [hash = ""] = (await findPerson(aContext(), guest.user.id))?.userHashes ?? [];
    await eraseAccount(aContext(), guest.user.id, "guest");
    await stores.settled();
    await stores.sql("insert into unusual_usage values ($1, now(), 400)", hash);
    for (const data of [{ account: hash, count: 400 }, { accountId: guest.user.id }]) {
      await stores.sql(
        `insert into security_events (at, event, count, correlation_id, data) values (now(), 'e', 1, 'c', $1)`,
        JSON.stringify(data),
      );
    }
    expect((await eraseLateRows(aContext())).rows).toBeGreaterThanOrEqual(3);
    expect(await tablesWith([hash])).toEqual([]);
    expect(await tablesWith([guest.user.id])).toEqual(["audit_log", "erasures"]);
  });

  it("deletes the counters of requests that came after the erasure", async () => {
    const guest = await aGuest();
    await eraseAccount(aContext(), guest.user.id, "guest");
    await call(exportRoute, "GET", { token: guest.accessToken });
    expect((await keysWith([guest.user.id])).length).toBeGreaterThan(1);
    await stores.settled();
    await eraseLateRows(aContext());
    expect(await keysWith([guest.user.id])).toEqual(["erasures"]);
  });
});

describe("without Redis", () => {
  it("late rows are swept and the counters left", async () => {
    await eraseAccount(aContext(), (await aGuest()).user.id, "guest");
    await stores.faults.redis.set({ kind: "refuse" });
    await expect(eraseLateRows(aContext())).resolves.toHaveProperty("rows");
    await stores.faults.redis.set(null);
  });
});

describe("the queue entry of an erasure", () => {
  it("is never a dead letter", async () => {
    const id = randomUUID();
    await stores.sql(
      `insert into queue_entries (id, kind, payload, correlation_id, attempts)
       values ($1, 'erasure', '{"userIds":["5f0e7c1a-2b3c-4d5e-8f90-a1b2c3d4e5f6"],"erasedAtMs":1,"sessionIds":[],"recentSessionIds":[],"limitKeys":[]}', 'c', 5000)`,
      id,
    );
    await stores.faults.redis.set({ kind: "refuse" });
    await runDue(aContext(), erasureKind);
    await stores.faults.redis.set(null);
    const [row] = await stores.sql("select dead_at from queue_entries where id = $1", id);
    expect(row).toEqual({ dead_at: null });
    await stores.sql("delete from queue_entries where id = $1", id);
  });
});

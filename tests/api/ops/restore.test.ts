import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import cancelDeletion from "../../../api/auth/cancel-deletion.js";
import refresh from "../../../api/auth/refresh.js";
import register from "../../../api/auth/register.js";
import cleanup from "../../../api/cron/cleanup.js";
import tick from "../../../api/cron/tick.js";
import health from "../../../api/health.js";
import blocks from "../../../api/ops/blocks/index.js";
import flag from "../../../api/ops/flags/[name].js";
import opsHealth from "../../../api/ops/health.js";
import begin from "../../../api/ops/restore/begin.js";
import finish from "../../../api/ops/restore/finish.js";
import exportRoute from "../../../api/user/export.js";
import user from "../../../api/user/index.js";
import { copyGateToRedis } from "../../../lib/admission/mirror.js";
import { restoreSessionRows } from "../../../lib/auth/session/restore-sessions.js";
import { eraseAccount } from "../../../lib/privacy/erase.js";
import { purgeDue } from "../../../lib/privacy/purge.js";
import { repeatDeletions } from "../../../lib/privacy/repeat-deletions.js";
import { reconcileErasures, replayErasures, replayNewest } from "../../../lib/privacy/replay.js";
import { jobKinds } from "../../../lib/schedule/job-kinds.js";
import { runJobs } from "../../../lib/schedule/run-jobs.js";
import { call } from "../../support/call.js";
import { aContext } from "../../support/context.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { anOperator, type OperatorPerson, operate } from "../../support/operators.js";
import { aBoundUser, aGuest, anAddress, aUser, password, someUsers } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const cronSecret = "cron-secret-of-the-tests";
useEnvironment({ CRON_SECRET: cronSecret });
const stores = useStores();
const lines = useLogLines();
let admin: OperatorPerson;

beforeAll(async () => {
  admin = await anOperator(stores, "admin");
});
beforeEach(async () => {
  await stores.liftLimits();
  await reconcileErasures(aContext(), Number.POSITIVE_INFINITY);
});
afterEach(async () => {
  await stores.sql("drop schema if exists backup cascade");
  await stores.sql(
    "update security_settings set restore_begun_at = 'epoch', restore_finished_at = 'epoch'",
  );
  await stores.redis("HDEL", "gate", "restore");
  await stores.redis("HDEL", "mirror:versions", "restored");
});

async function tables(): Promise<string[]> {
  const rows = await stores.sql(
    `select relname from pg_class where relnamespace = 'public'::regnamespace
       and (relkind = 'r' and not relispartition) order by 1`,
  );
  return rows.map(({ relname }) => relname ?? "");
}

/** A backup of the database at this moment. */
async function backUp(): Promise<void> {
  await stores.settled();
  await stores.sql("create schema backup");
  for (const table of await tables()) {
    await stores.sql(`create table backup.${table} as table public.${table}`);
  }
}

/** The database becomes the one of the backup; Redis stays as it is. */
async function restore(): Promise<void> {
  await stores.settled();
  const statements = (await tables()).map(
    (table) => `delete from public.${table};
      insert into public.${table} overriding system value table backup.${table};`,
  );
  await stores.sql(
    `do $restore$ begin set local session_replication_role = replica; ${statements.join("\n")} end $restore$`,
  );
}

const isThere = async (id: string) =>
  (await stores.sql("select 1 from users where id = $1", id)).length > 0;
const cancel = ({ cancelToken }: { cancelToken: string }) =>
  call(cancelDeletion, "POST", { body: { cancelToken }, ip: anAddress() });
const deletionOf = async (person: { user: { id: string } }) => {
  const [row] = await stores.sql(
    "select extract(epoch from purge_at) * 1000 as ms from users where id = $1",
    person.user.id,
  );
  return row?.ms ? new Date(Number(row.ms)).toISOString() : null;
};
const finished = (body: object = {}) => operate(finish, "POST", admin.token, body);

describe("POST /api/ops/restore/finish", () => {
  it("erases again who was erased after the backup, and signs no other user out", async () => {
    const [gone, guest, stays] = [await aUser(), await aGuest(), await aBoundUser(stores)];
    await backUp();
    await eraseAccount(aContext(), gone.user.id, "replay");
    expect((await call(user, "DELETE", { token: guest.accessToken })).status).toBe(202);
    // Refreshed and signed in after the backup: the restored rows are older, or missing.
    const refreshed = await call(refresh, "POST", { body: { refreshToken: stays.refreshToken } });
    const later = await aSignIn(stays.email);
    expect((await operate(begin, "POST", admin.token, {})).status).toBe(200);
    await restore();
    expect([await isThere(gone.user.id), await isThere(guest.user.id)]).toEqual([true, true]);

    const answer = await finished();
    expect(answer).toMatchObject({ status: 200, body: { detail: { erasedAgain: 2, left: 0 } } });
    expect([await isThere(gone.user.id), await isThere(guest.user.id)]).toEqual([false, false]);
    const receipts = await stores.sql(
      "select 1 from erasures where user_id in ($1, $2)",
      gone.user.id,
      guest.user.id,
    );
    expect(receipts).toHaveLength(2);
    for (const token of [gone.accessToken, guest.accessToken]) {
      expect((await call(user, "GET", { token })).status).toBe(401);
    }
    for (const { accessToken, refreshToken } of [refreshed.body, later]) {
      expect((await call(user, "GET", { token: accessToken })).status).toBe(200);
      expect((await call(refresh, "POST", { body: { refreshToken } })).status).toBe(200);
    }
  });

  it("names the blocks and flags that were set after the backup, and how to set them again", async () => {
    const block = (kind: string, value: string) =>
      operate(blocks, "POST", admin.token, { kind, value, ttlSeconds: 3600 });
    const other = await aUser();
    expect((await block("ip", "203.0.113.50")).status).toBe(200);
    await backUp();
    const again = [
      ["ip", "198.51.100.7"],
      ["ip", "2001:db8::7"],
      ["cidr", "192.0.2.0/24"],
      ["user", other.user.id],
    ] as const;
    for (const [kind, value] of again) expect((await block(kind, value)).status).toBe(200);
    const setFlag = (name: string, body: object) =>
      call(flag, "PUT", {
        token: admin.token,
        url: `http://localhost:8080/api/ops/flags/${name}`,
        body: { reason: "too slow", ...body },
      });
    expect((await setFlag("stt", { enabled: false })).status).toBe(200);
    const feature = { enabled: true, percentage: 20, users: [other.user.id] };
    expect((await setFlag("new-cards", feature)).status).toBe(200);
    await operate(begin, "POST", admin.token, {});
    await restore();
    // A tick before the end of the restore.
    await copyGateToRedis(aContext());
    expect(await stores.redis("SISMEMBER", "blocks", "198.51.100.7/32")).toBe(0);
    const { done, detail } = (await finished()).body;
    const reason = ' --reason "in force before the restore"';
    expect(detail.lostRules.toSorted()).toEqual(
      [
        ...again.map(([kind, value]) => `block ${kind} ${value} --ttl 1d`),
        "flag off stt",
        `flag set new-cards --percentage 20 --users ${other.user.id} --no-public`,
      ]
        .map((command) => `npm run ops -- ${command}${reason}`)
        .toSorted(),
    );
    expect(done).toContain("6 BLOCKS AND FLAGS WERE SET AFTER THE BACKUP");
    await operate(begin, "POST", admin.token, {});
    expect((await finished()).body.detail.lostRules).toEqual([]);
  });

  it("closes the app from begin to finish, also when either store forgets it", async () => {
    const ada = await aUser();
    const codes = async () => {
      const body = { email: `x-${ada.email}`, password, name: "Ada", acceptedTerms: true };
      const answers = [
        await call(user, "GET", { token: ada.accessToken }),
        await call(exportRoute, "GET", { token: ada.accessToken }),
        await call(register, "POST", { body, ip: anAddress() }),
      ];
      return answers.map(({ code }) => code);
    };
    const closed = Array(3).fill("restore_in_progress");
    const begun = await operate(begin, "POST", admin.token, {});
    expect(begun.body.inForce).toBe(true);
    expect(await codes()).toEqual(closed);
    expect((await call(health, "GET")).status).toBe(200);
    expect((await call(opsHealth, "GET", { token: admin.token })).body.findings).toContainEqual(
      expect.objectContaining({ name: "restore", status: "fail" }),
    );
    // A restored database, and the next tick.
    await stores.sql("update security_settings set restore_begun_at = 'epoch'");
    expect(await codes()).toEqual(closed);
    await copyGateToRedis(aContext());
    const [row] = await stores.sql(
      "select restore_begun_at > now() - interval '1 hour' as is_begun from security_settings",
    );
    expect(row).toEqual({ is_begun: "t" });
    // A Redis that lost its data.
    await stores.redis("DEL", "gate");
    expect(await codes()).toEqual(closed);
    expect((await finished()).status).toBe(200);
    expect((await call(user, "GET", { token: ada.accessToken })).status).toBe(200);
    await copyGateToRedis(aContext());
    expect((await call(user, "GET", { token: ada.accessToken })).status).toBe(200);
  });

  it("closes the app, too, where the last restore finished by a clock that is ahead", async () => {
    const ada = await aUser();
    await stores.sql(
      "update security_settings set restore_finished_at = now() + interval '1 minute'",
    );
    await copyGateToRedis(aContext());
    expect((await operate(begin, "POST", admin.token, {})).status).toBe(200);
    expect((await call(user, "GET", { token: ada.accessToken })).code).toBe("restore_in_progress");
    await finished();
    expect((await call(user, "GET", { token: ada.accessToken })).status).toBe(200);
  });

  it("stays closed while no copy of the erasures can be read", async () => {
    const ada = await aUser();
    await operate(begin, "POST", admin.token, {});
    await stores.redis("DEL", "erasures");
    await call(cleanup, "GET", { token: cronSecret });
    expect(await stores.redis("EXISTS", "erasures")).toBe(0);
    expect(await finished()).toMatchObject({ status: 409, code: "erasures_unreadable" });
    expect((await call(user, "GET", { token: ada.accessToken })).code).toBe("restore_in_progress");
    expect(await finished({ erasures: [] })).toMatchObject({ status: 422 });
    const listed = await finished({ erasures: [ada.user.id] });
    expect(listed).toMatchObject({ status: 200, body: { detail: { erasedAgain: 1 } } });
    expect(await isThere(ada.user.id)).toBe(false);
  });

  it("says how far the log beside the backups reaches when Redis has lost its copy", async () => {
    const ada = await aUser();
    const erasedAt = "2026-01-02T03:04:05.000Z";
    const handOver = () =>
      stores.sql("update security_settings set erasures_handed_over_at = now()");
    await operate(begin, "POST", admin.token, {});
    await stores.redis("DEL", "erasures");
    await handOver();
    await stores.sql("insert into restored_erasures values ($1, $2)", ada.user.id, erasedAt);
    const { done, detail } = (await finished()).body;
    expect(detail).toMatchObject({ erasedAgain: 1, mayLackErasures: true });
    expect(done).toMatch(/^Erased 1 account again by the log beside the backups, /);
    expect(done).toContain(`its newest erasure is of ${erasedAt}`);
    expect(done).toContain("`ops restore finish --erasures FILE`");
    // From the end of the restore, Redis has every receipt again.
    await operate(begin, "POST", admin.token, {});
    const again = await finished();
    expect(again.body.detail).toMatchObject({ copies: ["the stream in Redis"] });
    expect(again.body.detail.mayLackErasures).toBe(false);
    // The list of the operator closes the gap.
    await handOver();
    const listed = await finished({ erasures: [ada.user.id] });
    expect(listed.body.detail).toMatchObject({ mayLackErasures: false });
    expect(listed.body.done).not.toContain("--erasures");
  });

  it("names the time from which erasures may be missing, also without one in the log", async () => {
    await stores.sql("delete from backup_canaries");
    await stores.sql("insert into backup_canaries (at) values ('2026-01-02T03:05:05Z')");
    const lost = async () => {
      await operate(begin, "POST", admin.token, {});
      await stores.redis("DEL", "erasures");
      await stores.sql("update security_settings set erasures_handed_over_at = now()");
    };
    await lost();
    // After the restore: it does not say how old the backup is.
    await stores.sql("insert into backup_canaries (at) values (now() + interval '1 minute')");
    const { done, detail } = (await finished()).body;
    expect(detail.mayLackErasures).toBe(true);
    expect(done).toContain("`account_erased` since 2026-01-02T03:04:05.000Z");
    expect(done).toContain("`--erasures none`");
    await lost();
    const said = await finished({ noneErased: true });
    expect(said.body.detail).toMatchObject({ erasedAgain: 0, mayLackErasures: false });
  });

  it("does nothing without a list while no restore is in progress, also after one", async () => {
    await operate(begin, "POST", admin.token, {});
    await finished();
    const audited = () => stores.sql("select id from audit_log where action like 'restore.%'");
    const before = await audited();
    for (const dryRun of [true, false]) {
      const { status, body } = await finished({ dryRun });
      expect([status, body.done]).toEqual([
        200,
        "No restore is in progress: the app is open, and nothing is done. If the database was restored, close the app first: `ops restore begin --confirm closed`.",
      ]);
    }
    expect(await audited()).toEqual(before);
  });

  it("says in a dry run what a call would do", async () => {
    const gone = await aUser();
    await backUp();
    await eraseAccount(aContext(), gone.user.id, "replay");
    await stores.settled();
    const preview = async () => (await finished({ dryRun: true })).body.done;
    const listed = await finished({ dryRun: true, erasures: [gone.user.id] });
    expect(listed.body.done).toMatch(
      /^No restore is in progress: the app is open\. Would repeat 0 erasures by the stream in Redis /,
    );
    await operate(begin, "POST", admin.token, {});
    await restore();
    expect(await preview()).toMatch(
      /^Would repeat 1 erasure by the stream in Redis, .* open the app/,
    );
    expect(await isThere(gone.user.id)).toBe(true);
    await stores.redis("DEL", "erasures");
    expect(await finished({ dryRun: true })).toMatchObject({ code: "erasures_unreadable" });
    await stores.sql("update security_settings set erasures_handed_over_at = now()");
    expect(await preview()).toContain("by the log beside the backups, ");
    expect(await preview()).toContain("REDIS HAS LOST ITS COPY");
    await finished();
  });

  it("does not trust a lost stream because of one later erasure", async () => {
    const [before, after] = [await aUser(), await aUser()];
    await eraseAccount(aContext(), before.user.id, "replay");
    await stores.redis("DEL", "erasures");
    await eraseAccount(aContext(), after.user.id, "replay");
    await stores.settled();
    expect(await stores.redis("EXISTS", "erasures")).toBe(1);
    await operate(begin, "POST", admin.token, {});
    expect(await finished()).toMatchObject({ status: 409, code: "erasures_unreadable" });
    await stores.sql("update security_settings set restore_begun_at = 'epoch'");
    await stores.redis("HDEL", "gate", "restore");
    expect(await reconcileErasures(aContext(), Number.POSITIVE_INFINITY)).toMatchObject({
      erasedAgain: 0,
    });
    await operate(begin, "POST", admin.token, {});
    expect((await finished()).status).toBe(200);
  });

  it("erases no account whose cancellation the restore has lost, and leaves time to repeat it", async () => {
    const [ada, late] = [await aBoundUser(stores), await aBoundUser(stores)];
    const { body } = await call(user, "DELETE", { token: ada.accessToken });
    await call(user, "DELETE", { token: late.accessToken });
    await stores.sql(
      "update users set purge_at = now() - interval '1 hour' where id = $1",
      ada.user.id,
    );
    await backUp();
    await stores.sql(
      "update users set purge_at = null, deletion_id = null where id = $1",
      ada.user.id,
    );
    await operate(begin, "POST", admin.token, {});
    await restore();
    expect(await purgeDue(aContext(), Number.POSITIVE_INFINITY)).toEqual({ erased: 0 });
    expect(await isThere(ada.user.id)).toBe(true);

    const answer = await finished();
    expect(answer.body.done).toContain("1 due deletion is postponed by 3 days");
    expect(answer.body.detail.postponed).toEqual([ada.user.id]);
    expect(await purgeDue(aContext(), Number.POSITIVE_INFINITY)).toEqual({ erased: 0 });
    const cancelled = await call(cancelDeletion, "POST", {
      body: { cancelToken: body.cancelToken },
      ip: anAddress(),
    });
    expect(cancelled.status).toBe(204);
    expect(await isThere(ada.user.id)).toBe(true);
  });

  it("repeats requests and cancellations that were made after the backup", async () => {
    const [keeps, leaves, changed] = [
      await aBoundUser(stores),
      await aBoundUser(stores),
      await aBoundUser(stores),
    ];
    const before = await call(user, "DELETE", { token: keeps.accessToken });
    const pending = await call(user, "DELETE", { token: changed.accessToken });
    await backUp();
    await cancel(before.body);
    await cancel(pending.body);
    const again = await aSignIn(changed.email);
    const second = await call(user, "DELETE", { token: again.accessToken });
    const request = await call(user, "DELETE", { token: leaves.accessToken });
    await operate(begin, "POST", admin.token, {});
    await restore();
    const answer = await finished();
    expect(answer.body.detail.deletions).toEqual({ requested: 2, cancelled: 2 });
    expect(await deletionOf(keeps)).toBeNull();
    expect((await call(user, "GET", { token: leaves.accessToken })).code).toBe("session_revoked");
    expect((await cancel(pending.body)).code).toBe("code_invalid");
    for (const [person, { body }] of [
      [leaves, request],
      [changed, second],
    ] as const) {
      expect(await deletionOf(person)).toBe(body.purgeAt);
      expect((await cancel(body)).status).toBe(204);
      expect(await deletionOf(person)).toBeNull();
    }
    await stores.settled();
    expect(await repeatDeletions(aContext())).toEqual({ requested: 0, cancelled: 0 });
  });

  it("is not closed again by a copy that was read before it finished", async () => {
    const ada = await aUser();
    await operate(begin, "POST", admin.token, {});
    const [row] = await stores.sql(
      "select restore_begun_at::text as begun, restore_finished_at::text as finished from security_settings",
    );
    await finished();
    const [now] = await stores.sql(
      "select restore_finished_at::text as finished from security_settings",
    );
    const set = (at: string) =>
      stores.sql("update security_settings set restore_finished_at = $1::timestamptz", at);
    // What a tick had read, written late.
    await set(row?.finished ?? "");
    await copyGateToRedis(aContext());
    await set(now?.finished ?? "");
    expect(await stores.redis("HGET", "gate", "restore")).toBeNull();
    expect((await call(user, "GET", { token: ada.accessToken })).status).toBe(200);
  });

  it("keeps sessions that were refreshed after the backup signed in for their full time", async () => {
    const ada = await aBoundUser(stores);
    await stores.sql(
      "update sessions set idle_expires_at = now() + interval '1 minute' where user_id = $1",
      ada.user.id,
    );
    await operate(begin, "POST", admin.token, {});
    await finished();
    const [row] = await stores.sql(
      "select idle_expires_at > now() + interval '1 day' as is_extended from sessions where user_id = $1",
      ada.user.id,
    );
    expect(row).toEqual({ is_extended: "t" });
  });

  it("continues with the sessions where the last call stopped", async () => {
    await Promise.all(Array.from({ length: 3 }, () => aUser()));
    await operate(begin, "POST", admin.token, {});
    for (let at = 0; at < 3000; at += 500) {
      const pairs = Array.from({ length: 500 }, (_, more) => [`filler:${at + more}`, "1"]).flat();
      await stores.redis("MSET", ...pairs);
    }
    const first = await restoreSessionRows(aContext(), performance.now());
    expect(first.isComplete).toBe(false);
    const positions = () =>
      stores.sql("select position from cron_cursors where name = 'restore_sessions'");
    expect(await positions()).toHaveLength(1);
    let calls = 1;
    while (!(await restoreSessionRows(aContext(), performance.now())).isComplete) calls += 1;
    expect(calls).toBeGreaterThan(1);
    expect(await positions()).toEqual([]);
    await finished();
    await stores.redis("DEL", ...Array.from({ length: 3000 }, (_, at) => `filler:${at}`));
  });

  it("keeps the app closed when another list follows", async () => {
    const [ada, grace] = [await aUser(), await aUser()];
    await operate(begin, "POST", admin.token, {});
    const first = await finished({ erasures: [ada.user.id], more: true });
    expect(first.body.detail.erasedAgain).toBe(1);
    expect((await call(user, "GET", { token: grace.accessToken })).code).toBe(
      "restore_in_progress",
    );
    await finished();
    expect((await call(user, "GET", { token: grace.accessToken })).status).toBe(200);
  });

  it("changes nothing in a dry run", async () => {
    await operate(begin, "POST", admin.token, {});
    expect((await finished({ dryRun: true })).status).toBe(200);
    const ada = await stores.sql(
      "select restore_finished_at < restore_begun_at as is_closed from security_settings",
    );
    expect(ada).toEqual([{ is_closed: "t" }]);
  });
});

describe("a restore without `restore begin`", () => {
  it("erases no account that cancelled its deletion after the backup, and repeats requests, at the next cleanup", async () => {
    const [keeps, leaves] = [await aBoundUser(stores), await aBoundUser(stores)];
    const { body } = await call(user, "DELETE", { token: keeps.accessToken });
    await backUp();
    await cancel(body);
    await call(user, "DELETE", { token: leaves.accessToken });
    await restore();
    await stores.sql("update users set purge_at = now() where id = $1", keeps.user.id);
    expect(await purgeDue(aContext(), Number.POSITIVE_INFINITY)).toEqual({ erased: 0 });
    expect(await isThere(keeps.user.id)).toBe(true);
    expect([await deletionOf(keeps), await deletionOf(leaves)]).toEqual([null, expect.any(String)]);
    expect(lines.read("deletions_missing")[0]?.data).toEqual({ requested: 1, cancelled: 1 });
  });

  it("repeats no request whose cancellation Redis has lost", async () => {
    const ada = await aBoundUser(stores);
    const { body } = await call(user, "DELETE", { token: ada.accessToken });
    await stores.settled();
    const requests = (await stores.redis("HGETALL", "deletions")) as string[];
    await cancel(body);
    await stores.settled();
    await stores.redis("HSET", "deletions", ...requests);
    expect(await repeatDeletions(aContext())).toEqual({ requested: 0, cancelled: 0 });
    expect(await deletionOf(ada)).toBeNull();
  });

  it("finds a change that Redis refused at first", async () => {
    const ada = await aBoundUser(stores);
    const { body } = await call(user, "DELETE", { token: ada.accessToken });
    await backUp();
    await stores.faults.redis.set({ kind: "refuse" });
    await cancel(body);
    await stores.settled();
    await stores.faults.redis.set(null);
    await stores.sql("update queue_entries set run_after = now() where kind = 'deletion-copy'");
    await runJobs(aContext(), jobKinds, Number.POSITIVE_INFINITY);
    await restore();
    // Redis is skipped for some time after it failed.
    await expect
      .poll(() => repeatDeletions(aContext()).catch(() => null), { timeout: 20_000 })
      .toMatchObject({ cancelled: 1 });
    expect(await deletionOf(ada)).toBeNull();
  });

  it("purges no account while Redis cannot be read", async () => {
    const ada = await aBoundUser(stores);
    await call(user, "DELETE", { token: ada.accessToken });
    await stores.sql("update users set purge_at = now() where id = $1", ada.user.id);
    await stores.faults.redis.set({ kind: "refuse" });
    await expect(purgeDue(aContext(), Number.POSITIVE_INFINITY)).rejects.toThrow();
    await stores.faults.redis.set(null);
    expect(await isThere(ada.user.id)).toBe(true);
  });

  it("is noticed by the next tick, which erases again", async () => {
    const gone = await aUser();
    await backUp();
    await eraseAccount(aContext(), gone.user.id, "replay");
    await restore();
    expect(await isThere(gone.user.id)).toBe(true);
    expect(await replayNewest(aContext(), Number.POSITIVE_INFINITY)).toEqual({
      erasedAgain: 1,
      left: 0,
    });
    expect(await isThere(gone.user.id)).toBe(false);
    expect(lines.read("erasures_missing")).toHaveLength(1);
    expect(await replayNewest(aContext(), Number.POSITIVE_INFINITY)).toEqual({
      erasedAgain: 0,
      left: 0,
    });
  });

  it("of which the newest page shows a part is repeated as a whole, over several ticks", async () => {
    const people = await someUsers(25);
    await backUp();
    for (const { user } of people) await eraseAccount(aContext(), user.id, "replay");
    await restore();
    const there = async () => {
      const ids = `{${people.map(({ user }) => user.id).join(",")}}`;
      return (await stores.sql("select 1 from users where id = any($1::uuid[])", ids)).length;
    };
    expect(await there()).toBe(25);
    // Each tick has time for one.
    const tick = () => replayNewest(aContext(), performance.now());
    expect(await tick()).toEqual({ erasedAgain: 1, left: 24 });
    for (let left = 23; left >= 0; left -= 1)
      expect(await tick()).toEqual({ erasedAgain: 1, left });
    expect(await there()).toBe(0);
  });

  it("writes no receipt for an account that is still there", async () => {
    const [guest, ada] = [await aGuest(), await aUser()];
    const ctx = aContext();
    const { db } = ctx;
    let isMerged = false;
    const merging = new Proxy(db, {
      get: (_, name) =>
        name === "batch"
          ? async (statements: Parameters<typeof db.batch>[0]) => {
              const answers = await db.batch(statements);
              // Another guest is merged after the account was read.
              if (!isMerged) {
                await stores.sql(
                  "update users set merged_into = $1 where id = $2",
                  ada.user.id,
                  guest.user.id,
                );
              }
              isMerged = true;
              return answers;
            }
          : Reflect.get(db, name, db),
    });
    const copy = {
      name: "a list",
      async *read() {
        yield { userId: ada.user.id, erasedAtMs: Date.now() };
      },
    };
    const replay = (on: typeof ctx) => replayErasures(on, [copy], Number.POSITIVE_INFINITY);
    expect(await replay({ ...ctx, db: merging })).toMatchObject({ erasedAgain: 0, left: 1 });
    expect(await stores.sql("select 1 from erasures where user_id = $1", ada.user.id)).toEqual([]);
    expect(await replay(ctx)).toMatchObject({ erasedAgain: 1, left: 0 });
    expect([await isThere(ada.user.id), await isThere(guest.user.id)]).toEqual([false, false]);
  });

  it("is a part of tick and cleanup", async () => {
    await stores.sql("delete from cron_leases");
    const parts = async (cron: typeof tick) =>
      (await call(cron, "GET", { token: cronSecret })).body.parts;
    expect(await parts(tick)).toMatchObject({ replay_erasures: { outcome: "done" } });
    expect(await parts(cleanup)).toMatchObject({ reconcile_erasures: { outcome: "done" } });
  });
});

describe("the stream of erasures", () => {
  it("is written again from the receipts when Redis has lost it", async () => {
    const gone = await aUser();
    await eraseAccount(aContext(), gone.user.id, "replay");
    await stores.redis("DEL", "erasures");
    const { appended } = await reconcileErasures(aContext(), Number.POSITIVE_INFINITY);
    expect(appended).toBeGreaterThan(0);
    expect(JSON.stringify(await stores.redis("XRANGE", "erasures", "-", "+"))).toContain(
      gone.user.id,
    );
    expect(await reconcileErasures(aContext(), Number.POSITIVE_INFINITY)).toMatchObject({
      appended: 0,
    });
  });

  it("loses entries after 40 days, but never its last one", async () => {
    const old = String(Date.now() - 41 * 86_400_000);
    await stores.redis("DEL", "erasures");
    const addOld = (userId: string) =>
      stores.redis("XADD", "erasures", `${old}-1`, "user", userId, "at", old);
    await addOld("5f0e7c1a-2b3c-4d5e-8f90-a1b2c3d4e5f6");
    const gone = await aUser();
    await eraseAccount(aContext(), gone.user.id, "replay");
    const entries = (await stores.redis("XRANGE", "erasures", "-", "+")) as unknown[];
    expect(entries).toHaveLength(1);
    expect(JSON.stringify(entries)).toContain(gone.user.id);
    // No account was erased for 40 days.
    await stores.redis("DEL", "erasures");
    await addOld(gone.user.id);
    await stores.sql("update erasures set erased_at = now() - interval '41 days'");
    await reconcileErasures(aContext(), Number.POSITIVE_INFINITY);
    const kept = (await stores.redis("XRANGE", "erasures", "-", "+")) as [string, string[]][];
    expect(kept.map(([, fields]) => fields.slice(0, 2))).toEqual([
      ["user", gone.user.id],
      ["complete", "1"],
    ]);
  });
});

async function aSignIn(email: string) {
  const { default: login } = await import("../../../api/auth/login.js");
  const { status, body } = await call(login, "POST", {
    body: { email, password },
    ip: anAddress(),
  });
  expect(status).toBe(200);
  return body;
}

import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import refresh from "../../../api/auth/refresh.js";
import cleanup from "../../../api/cron/cleanup.js";
import { call } from "../../support/call.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { aUser, someUsers } from "../../support/people.js";
import { nextSlot } from "../../support/slots.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const lines = useLogLines();
const secret = "the-clock-secret-of-the-tests";
useEnvironment({ CRON_SECRET: secret, LOG_LEVEL: "info" });
beforeEach(() => nextSlot(stores));

const run = () => call(cleanup, "GET", { token: secret });
const pruned = async () => (await run()).body.parts.prune_expired;

/** For each table, a row just inside its retention period and one just outside. */
const kinds: [table: string, insert: string, young: string, old: string][] = [
  [
    "mail_codes",
    "(purpose, subject, id, email, created_at, expires_at) values ('sign_in', $1, gen_random_uuid(), 'x', now(), now() - $2::interval)",
    "50 minutes",
    "61 minutes",
  ],
  ["mail_budgets", "values ($1, array[now()], now() - $2::interval)", "47 hours", "49 hours"],
  [
    "rate_limits",
    "values ($1, 1, extract(epoch from now() - $2::interval) * 1000)",
    "50 minutes",
    "61 minutes",
  ],
  [
    "login_delays",
    "values ($1, 1, 0, extract(epoch from now() - $2::interval) * 1000, gen_random_uuid())",
    "50 minutes",
    "61 minutes",
  ],
  [
    "idempotency_keys",
    "values ('s', $1, 'h', 'r', now() - $2::interval)",
    "167 hours",
    "169 hours",
  ],
  ["webhook_events", "values ('mail', $1, now() - $2::interval)", "719 hours", "721 hours"],
  [
    "security_events",
    "(at, event, count, correlation_id) values (now() - $2::interval, 'e', 1, $1)",
    "719 hours",
    "721 hours",
  ],
  [
    "blocks",
    "(id, kind, value, reason, created_by, created_at, expires_at) values (gen_random_uuid(), 'ip', $1, 'r', 'x', now(), now() - $2::interval)",
    "719 hours",
    "721 hours",
  ],
  ["unusual_usage", "values ($1, now() - $2::interval, 1)", "719 hours", "721 hours"],
  [
    "alert_transitions",
    "values ($1, now() - $2::interval, 'r', '', 'pending', 'firing', 'd')",
    "2159 hours",
    "2161 hours",
  ],
  ["cron_runs", "values ($1, now() - $2::interval, 1, now())", "719 hours", "721 hours"],
  [
    "queue_entries",
    "(id, kind, key, payload, correlation_id, done_at) values (gen_random_uuid(), 'k', $1, '{}', 'c', now() - $2::interval)",
    "167 hours",
    "169 hours",
  ],
];
const countOf = async (table: string, text: string) => {
  const rows = await stores.sql(
    `select 1 from ${table} t where t::text like '%' || $1 || '%'`,
    text,
  );
  return rows.length;
};

describe("GET /api/cron/cleanup", () => {
  it.each(kinds)(
    "deletes expired rows of %s and keeps newer ones",
    async (table, insert, young, old) => {
      const mark = randomUUID();
      await stores.sql(`insert into ${table} ${insert}`, `${mark}-young`, young);
      for (const n of [1, 2])
        await stores.sql(`insert into ${table} ${insert}`, `${mark}-old${n}`, old);
      expect((await pruned()).detail[table]).toBe(2);
      expect(await countOf(table, `${mark}-young`)).toBe(1);
      expect(await countOf(table, `${mark}-old`)).toBe(0);
      await nextSlot(stores);
      expect((await pruned()).detail[table]).toBe(0);
    },
  );

  it("deletes address changes that can no longer be undone", async () => {
    const { user } = await aUser();
    const insert = `insert into email_changes (id, user_id, old_email, created_at, expires_at)
      values (gen_random_uuid(), $1, $2, now(), now() + $3::interval)`;
    await stores.sql(insert, user.id, "still@example.com", "1 minute");
    await stores.sql(insert, user.id, "gone@example.com", "-61 minutes");
    expect((await pruned()).detail.email_changes).toBe(1);
    expect(await countOf("email_changes", "still@example.com")).toBe(1);
  });

  it("keeps dead jobs and waiting jobs", async () => {
    const insert = `insert into queue_entries (id, kind, key, payload, correlation_id, created_at, dead_at)
      values (gen_random_uuid(), 'k', $1, '{}', 'c', now() - interval '90 days', $2)`;
    await stores.sql(insert, "dead", "2020-01-01");
    await stores.sql(insert, "waiting", null);
    await run();
    expect(await countOf("queue_entries", "dead")).toBe(1);
    expect(await countOf("queue_entries", "waiting")).toBe(1);
  });

  it("deletes sessions 90 days after they ended, for any reason", async () => {
    const people = await someUsers(5);
    const [revokedLately, revoked, idleLately, idle, over] = people.map((one) => one.sessionId);
    const set = (what: string, id = "") =>
      stores.sql(`update sessions set ${what} where id = $1`, id);
    await set("revoked_at = now() - interval '89 days'", revokedLately);
    await set("revoked_at = now() - interval '91 days'", revoked);
    await set("idle_expires_at = now() - interval '89 days'", idleLately);
    await set("idle_expires_at = now() - interval '91 days'", idle);
    await set(
      "idle_expires_at = now() - interval '1 day', expires_at = now() - interval '91 days'",
      over,
    );
    const { parts } = (await run()).body;
    expect(parts.prune_expired.detail.sessions).toBe(1);
    expect(parts.prune_idle_sessions.detail).toMatchObject({ deleted: 2 });
    const left = await stores.sql("select id from sessions");
    const ids = left.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining([revokedLately, idleLately]));
    for (const id of [revoked, idle, over]) expect(ids).not.toContain(id);
  });

  it("keeps live sessions, which can still be refreshed", async () => {
    const { sessionId, refreshToken } = await aUser();
    await run();
    expect(await countOf("sessions", sessionId)).toBe(1);
    expect((await call(refresh, "POST", { body: { refreshToken } })).status).toBe(200);
  });

  it("deletes more rows than one statement can", async () => {
    await stores.sql(
      "insert into webhook_events select 'many', n::text, now() - interval '31 days' from generate_series(1, 2500) n",
    );
    expect((await pruned()).detail.webhook_events).toBe(2500);
  });

  it("processes sessions in order of their IDs and continues from its cursor", async () => {
    const { user } = await aUser();
    await stores.sql(
      `insert into sessions (id, user_id, auth_methods, authenticated_at, created_at, last_seen_at, idle_expires_at)
       select 'a-' || lpad(n::text, 6, '0'), $1, '{pwd}', now(), now(), now(), now() - interval '91 days'
       from generate_series(1, 1500) n`,
      user.id,
    );
    await stores.sql(
      `insert into cron_cursors values ('idle_sessions', 'a-000500')
       on conflict (name) do update set position = excluded.position`,
    );
    const { detail } = (await run()).body.parts.prune_idle_sessions;
    expect(detail.deleted).toBe(1000);
    expect(await countOf("sessions", "a-000500")).toBe(1);
    await nextSlot(stores);
    expect((await run()).body.parts.prune_idle_sessions.detail.deleted).toBe(500);
  });

  it("runs once per time slot, however often it is called", async () => {
    const insert = () =>
      stores.sql(
        "insert into webhook_events values ('mail', $1, now() - interval '31 days')",
        randomUUID(),
      );
    await insert();
    const answers = await Promise.all([run(), run(), run()]);
    await insert();
    answers.push(await run());
    const ran = answers.filter(({ body }) => body.ran);
    // The hour may change between the calls.
    expect(new Set(ran.map(({ body }) => body.slot)).size).toBe(ran.length);
    expect(ran[0]?.body.parts.prune_expired.detail.webhook_events).toBeGreaterThan(0);
  });

  it("continues after one table fails, and returns 503", async () => {
    await stores.sql(
      "insert into webhook_events values ('mail', $1, now() - interval '31 days')",
      "x",
    );
    const isAboutCodes = (body: unknown) => JSON.stringify(body).includes("mail_codes");
    await stores.faults.postgres.set({ kind: "reset", match: isAboutCodes });
    expect(await run()).toMatchObject({ status: 503, code: "service_unavailable" });
    expect(lines.read("tick_part_failed")).toMatchObject([
      { data: { operation: "prune_expired" } },
    ]);
    expect(await countOf("webhook_events", "x")).toBe(0);
    const [last] = await stores.sql("select failed_parts from cron_runs where job = 'cleanup'");
    expect(last?.failed_parts).toBe("{prune_expired}");
  });

  it("returns 401 without the cron secret", async () => {
    for (const stranger of [{}, { token: "guess" }]) {
      expect(await call(cleanup, "GET", stranger)).toMatchObject({
        status: 401,
        code: "cron_secret_invalid",
      });
    }
    expect(lines.read("cron_secret_invalid")).toMatchObject([
      { level: "SECURITY" },
      { level: "SECURITY" },
    ]);
  });
});

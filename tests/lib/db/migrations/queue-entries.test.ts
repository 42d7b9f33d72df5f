import { neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  migrateDown,
  migrateUp,
  readMigrations,
} from "../../../../lib/db/migrations/migrations.js";
import { type ServedDatabase, stores } from "../../../dev/postgres/served-database.js";

const name = "0017_create_queue_entries";

// The driver's own transport, in place of the one that functions use.
beforeAll(() => {
  neonConfig.fetchFunction = undefined;
});

/** Rows in every state that the previous release leaves them in. */
const before = `
  insert into outbox (id, kind, payload, send, correlation_id, created_at, expires_at, run_after, attempts,
    admitted_at, failed_at, last_error)
  select gen_random_uuid(), kind, jsonb_build_object('state', state), send, state, now(), now() + life,
    now() + wait, attempts, case when attempts > 0 then now() end, failed_at, last_error
  from (values
    ('mail', 'pending', true, interval '1 day', interval '0', 0, null::timestamptz, null),
    ('mail', 'leased', true, '1 day', '60 seconds', 1, null, null),
    ('mail', 'retried', true, '1 day', '30 minutes', 4, null, 'status_500'),
    ('mail', 'failed', true, '1 day', '0', 2, now(), 'status_422'),
    ('mail', 'expired', true, '-1 hour', '-1 hour', 3, null, 'network'),
    ('mail', 'withheld', false, '1 day', '0', 0, null, null),
    ('notice', 'pending', true, '1 day', '0', 0, null, null),
    ('notice', 'failed', true, '1 day', '0', 1, now(), 'status_400')
  ) as old (kind, state, send, life, wait, attempts, failed_at, last_error);
  insert into jobs (id, kind, key, payload, correlation_id, run_after, attempts, leased_until, done_at, dead_at,
    last_error)
  select gen_random_uuid(), 'export', 'export:' || state, '{"a": 1}', state, now() + wait, attempts, leased_until,
    done_at, dead_at, last_error
  from (values
    ('waiting', interval '0', 0, null::timestamptz, null::timestamptz, null::timestamptz, null),
    ('later', '1 day', 0, null, null, null, null),
    ('leased', '2 minutes', 1, now() + interval '2 minutes', null, null, null),
    ('done', '2 minutes', 1, null, now(), null, null),
    ('dead', '0', 8, null, null, now(), 'TypeError')
  ) as old (state, wait, attempts, leased_until, done_at, dead_at, last_error)`;

describe.each(stores)("the queue's migration over $name", ({ serve }) => {
  let database: ServedDatabase;
  let migrations: Awaited<ReturnType<typeof readMigrations>>;
  const sql = (text: string) => neon(database.connectionString).query(text);
  const outboxRows = () =>
    sql(`select id, kind, payload, send, correlation_id, created_at, expires_at, run_after, attempts,
      admitted_at, failed_at, last_error from outbox order by id`);
  const jobRows = () =>
    sql(`select id, kind, key, payload, correlation_id, created_at, run_after, attempts, leased_until,
      done_at, dead_at, last_error from jobs order by id`);
  const up = () => migrateUp(neon(database.connectionString), migrations);
  const down = () =>
    migrateDown(neon(database.connectionString), migrations, { isProduction: false, force: false });

  beforeAll(async () => {
    database = await serve();
    migrations = (await readMigrations("drizzle")).filter((one) => one.name <= name);
    const older = migrations.filter((one) => one.name < name);
    await migrateUp(neon(database.connectionString), older);
    for (const statement of before.split(";")) await sql(statement);
  }, 120_000);
  afterAll(() => database.close());

  it("keeps every row unchanged, for both releases, when it is applied and undone", async () => {
    const old = { outbox: await outboxRows(), jobs: await jobRows() };
    expect([old.outbox.length, old.jobs.length]).toEqual([8, 5]);
    await up();
    expect({ outbox: await outboxRows(), jobs: await jobRows() }).toEqual(old);
    expect(await sql("select count(*)::int as count from queue_entries")).toEqual([{ count: 13 }]);
    expect(await down()).toBe(name);
    expect({ outbox: await outboxRows(), jobs: await jobRows() }).toEqual(old);
    await up();
    expect({ outbox: await outboxRows(), jobs: await jobRows() }).toEqual(old);
  });

  it("lets the previous release queue, claim, settle and prune under the old names", async () => {
    const queued = async (state: string) =>
      (
        await sql(`select kind, send, attempts, key, done_at, dead_at is not null as is_dead
        from queue_entries where correlation_id = '${state}'`)
      )[0];
    await sql(`insert into outbox (id, kind, payload, correlation_id, created_at, expires_at, run_after)
      values (gen_random_uuid(), 'mail', '{}', 'of-before', now(), now() + interval '1 day', now())`);
    expect(await queued("of-before")).toMatchObject({ kind: "mail", send: true, attempts: 0 });
    const job = `insert into jobs (id, kind, key, payload, correlation_id)
      values (gen_random_uuid(), 'export', 'of-before', '{}', 'job-of-before')
      on conflict (key) do nothing returning id`;
    expect(await sql(job)).toHaveLength(1);
    expect(await sql(job)).toEqual([]);
    expect(await queued("job-of-before")).toMatchObject({ key: "of-before", attempts: 0 });

    const claim = `update outbox set attempts = attempts + 1, run_after = now() + interval '60 seconds'
      where id = any(array(select id from outbox
        where kind = 'mail' and send and failed_at is null and run_after <= now() and expires_at > now()
        order by run_after limit 4 for update skip locked))
      returning correlation_id`;
    const claimed = (await sql(claim)).map((row) => row.correlation_id);
    expect(claimed.sort()).toEqual(["of-before", "pending"]);
    expect(await sql(claim)).toEqual([]);
    await sql(
      "update outbox set failed_at = now() where correlation_id = 'of-before' and attempts = 1",
    );
    expect(await queued("of-before")).toMatchObject({ is_dead: true });
    await sql("delete from outbox where correlation_id = 'of-before'");
    expect(await queued("of-before")).toBeUndefined();
    const expired = `delete from outbox where id = any(array(select id from outbox
      where expires_at <= now() limit 1000 for update skip locked)) returning correlation_id`;
    expect(await sql(expired)).toEqual([{ correlation_id: "expired" }]);

    await sql("update jobs set done_at = now() - interval '8 days' where key = 'of-before'");
    const prune = `delete from jobs where ctid = any(array(select ctid from jobs
      where done_at < now() - interval '7 days' and done_at is not null
      order by done_at limit 1000 for update skip locked)) returning key`;
    expect(await sql(prune)).toEqual([{ key: "of-before" }]);
  });

  it("grants on the old names what was granted on the tables", async () => {
    const role = `queue_role_${process.pid}`;
    await down();
    await sql(`create role ${role}`);
    await sql(`grant select, insert on outbox to ${role}`);
    await sql(`grant select, update, delete on jobs to public`);
    await up();
    const granted = await sql(`select table_name, grantee, privilege_type as may
      from information_schema.role_table_grants
      where table_name in ('outbox', 'jobs') and grantee in ('${role}', 'PUBLIC') order by 1, 3`);
    expect(
      granted.map(({ table_name, grantee, may }) => `${table_name} ${grantee} ${may}`),
    ).toEqual([
      "jobs PUBLIC DELETE",
      "jobs PUBLIC SELECT",
      "jobs PUBLIC UPDATE",
      `outbox ${role} INSERT`,
      `outbox ${role} SELECT`,
    ]);
    await sql(`drop owned by ${role}`);
    await sql(`drop role ${role}`);
  });
});

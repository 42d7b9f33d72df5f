import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sql } from "./record.js";

const leaseSeconds = 60;

/** For work outside a transaction, which cannot hold a lock. Waits for its turn; false when `isDone` by then. */
export async function withLease(
  sql: Sql,
  name: string,
  isDone: () => Promise<boolean>,
  work: () => Promise<void>,
): Promise<boolean> {
  const holder = randomUUID();
  while (!(await takeLease(sql, name, holder))) await sleep(250);
  const renewal = setInterval(
    () => takeLease(sql, name, holder).catch(() => {}),
    (leaseSeconds * 1000) / 3,
  );
  try {
    if (await isDone()) return false;
    await work();
    return true;
  } finally {
    clearInterval(renewal);
    await dropLease(sql, name, holder);
  }
}

async function takeLease(sql: Sql, name: string, holder: string): Promise<boolean> {
  const taken = await sql`
    INSERT INTO schema_migration_leases AS lease (name, holder, expires_at)
    VALUES (${name}, ${holder}, now() + make_interval(secs => ${leaseSeconds}))
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
    WHERE lease.holder = excluded.holder OR lease.expires_at < now()
    RETURNING name`;
  return taken.length > 0;
}

async function dropLease(sql: Sql, name: string, holder: string): Promise<void> {
  try {
    await sql`DELETE FROM schema_migration_leases WHERE name = ${name} AND holder = ${holder}`;
  } catch {}
}

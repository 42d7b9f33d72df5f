import type { Answer } from "./call.js";
import { countHashes } from "./hashes.js";
import type { Stores } from "./stores.js";

/**
 * Everything about a call that a client can see or measure: status, body, header names, password hashes,
 * store calls and rows written. Calls that must be indistinguishable have equal costs.
 */
export async function costOf(stores: Stores, send: () => Promise<Answer>) {
  const before = await rowsWritten(stores);
  await stores.resetCalls();
  const hashes = countHashes();
  const { status, body, headers } = await send();
  await stores.settled();
  const calls = stores.calls();
  const after = await rowsWritten(stores);
  const { correlationId: _, ...content } = body ?? {};
  const rows = Object.fromEntries(
    Object.entries(after).map(([table, count]) => [table, count - (before[table] ?? 0)]),
  );
  return { status, body: content, headers: [...headers.keys()], hashes: hashes(), calls, rows };
}

async function rowsWritten(stores: Stores): Promise<Record<string, number>> {
  const [counts] = await stores.sql(
    `select (select count(*) from mail_codes) as codes, (select count(*) from queue_entries) as mails,
       (select count(*) from audit_log) as audits, (select count(*) from sessions) as sessions,
       (select count(*) from security_events) as events, (select count(*) from users) as users`,
  );
  return Object.fromEntries(Object.entries(counts ?? {}).map(([name, n]) => [name, Number(n)]));
}

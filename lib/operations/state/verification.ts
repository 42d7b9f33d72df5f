import { count, gt, sql } from "drizzle-orm";
import { flagsText } from "../../admission/flags.js";
import { readRecorded } from "../../admission/recorded-rules.js";
import { verifyAudit } from "../../audit/verification.js";
import { isLive } from "../../auth/session/live-record.js";
import { sessionsMax } from "../../auth/session/session.js";
import type { Context } from "../../context.js";
import { sessions } from "../../db/schema/accounts.js";
import { blocksKeys, mirrorMark } from "../../redis/blocks.js";
import { roundTrip } from "../../redis/client.js";
import { readGate } from "../../redis/gate.js";
import { type Finding, type Findings, finding, found, looked } from "./finding.js";
import { oneValue } from "./one-value.js";

const auditBudgetMs = 3000;

/** What must be unique for promises to hold, and the index that holds it. */
const uniqueIndexes = {
  users_email_key: "one bound account for each address",
  idempotency_keys_pkey: "a write is done once",
  drained_batches_pkey: "a batch of events is counted once",
  alert_transitions_pkey: "an alert changes once a minute",
  cron_runs_pkey: "a slot of a cron is one",
  blocks_standing_key: "one block stands for each network and person",
} as const;

/** Every invariant that can be looked at. Reads only; for operators, not for every request. */
export async function verification(ctx: Context): Promise<Findings> {
  const findings = await Promise.all([
    ...Object.entries(uniqueIndexes).map(([index, promise]) =>
      looked(promise, () => uniqueFinding(ctx, index, promise)),
    ),
    looked("sessions of one person", () => sessionFinding(ctx)),
    looked("flags in Redis", () => flagFinding(ctx)),
    looked("blocks in Redis", () => blockFinding(ctx)),
    looked("the moment that ends all sessions", () => revokeAllFinding(ctx)),
    looked("totals and roll-ups", () => totalFinding(ctx)),
    looked("audit log", () => auditFinding(ctx)),
    looked("who may change the audit log", () => auditRoleFinding(ctx)),
  ]);
  return found(findings);
}

async function uniqueFinding(ctx: Context, index: string, promise: string): Promise<Finding> {
  const isThere = await oneValue<boolean>(
    ctx,
    sql`select exists (select 1 from pg_index join pg_class on pg_class.oid = indexrelid
      where relname = ${index} and indisunique and indisvalid and indisready) as value`,
  );
  return finding(promise, isThere, isThere ? `held by ${index}` : `${index} is missing or invalid`);
}

async function sessionFinding(ctx: Context): Promise<Finding> {
  const beyond = ctx.db
    .select({ userId: sessions.userId })
    .from(sessions)
    .where(isLive(ctx))
    .groupBy(sessions.userId)
    .having(gt(count(), sessionsMax));
  const people = await oneValue<number>(
    ctx,
    sql`select cast(count(*) as integer) as value from ${beyond} as beyond`,
  );
  const detail = `${people} people have more than ${sessionsMax} live ones`;
  return finding("sessions of one person", people === 0, detail);
}

async function flagFinding(ctx: Context): Promise<Finding> {
  const trip = roundTrip(ctx);
  const [recorded, gate] = await Promise.all([readRecorded(ctx), readGate(trip), trip.send()]);
  const { version, rows } = recorded.flags;
  const isSame = gate.flags === flagsText(version, rows);
  const detail = isSame
    ? "as recorded"
    : "differ: the clock, or `redis rebuild`, writes them again";
  return finding("flags in Redis", isSame, detail);
}

async function blockFinding(ctx: Context): Promise<Finding> {
  const trip = roundTrip(ctx);
  const [recorded, members] = await Promise.all([
    readRecorded(ctx),
    trip.command<string[]>("SMEMBERS", blocksKeys[0]),
    trip.send(),
  ]);
  const held = members.filter((member) => member !== mirrorMark).sort();
  const expected = [...recorded.blocks.values].sort();
  const isSame = members.includes(mirrorMark) && held.join() === expected.join();
  const detail = isSame
    ? `${held.length}, as recorded`
    : `${held.length} of ${expected.length}: the clock, or \`redis rebuild\`, writes them again`;
  return finding("blocks in Redis", isSame, detail);
}

async function revokeAllFinding(ctx: Context): Promise<Finding> {
  const trip = roundTrip(ctx);
  const [recorded, gate] = await Promise.all([
    oneValue<number>(
      ctx,
      sql`select to_json(floor(extract(epoch from revoke_all_before) * 1000)) as value
        from security_settings`,
    ),
    readGate(trip),
    trip.send(),
  ]);
  const { revokeAllBefore: held } = gate;
  const isSame = held !== null && Math.abs(recorded - held) < 1;
  const detail = isSame
    ? "the same in both stores"
    : "differs: the clock makes the later one count";
  return finding("the moment that ends all sessions", isSame, detail);
}

/** A total is at least what the minutes that are still kept have added to it. */
async function totalFinding(ctx: Context): Promise<Finding> {
  const short = await oneValue<number>(
    ctx,
    sql`select cast(count(*) as integer) as value from (
      select series, sum(value) as added from telemetry_minutes
      where minute > now() - interval '24 hours' group by series) as day
      left join telemetry_totals using (series) where added > coalesce(value, 0)`,
  );
  const detail = `${short} totals are below what the last day has added`;
  return finding("totals and roll-ups", short === 0, detail);
}

async function auditFinding(ctx: Context): Promise<Finding> {
  const { isIntact, rows, seals, findings } = await verifyAudit(
    ctx,
    performance.now() + auditBudgetMs,
  );
  const broken = findings.map(({ kind, firstId, lastId }) => `${kind} ${firstId}–${lastId}`);
  const detail = isIntact ? `${rows} rows fit ${seals} seals` : broken.join(", ");
  return finding("audit log", isIntact, detail);
}

async function auditRoleFinding(ctx: Context): Promise<Finding> {
  const mayChange = await oneValue<boolean>(
    ctx,
    sql`select has_table_privilege('audit_log', 'UPDATE, DELETE, TRUNCATE') as value`,
  );
  const detail = mayChange
    ? "triggers alone keep this role from it: run the app under a role that may only add rows"
    : "this role may add rows only";
  return finding("who may change the audit log", !mayChange, detail, "warn");
}

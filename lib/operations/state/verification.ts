import { count, gt, sql } from "drizzle-orm";
import { flagsText } from "../../admission/flags.js";
import { readRecorded } from "../../admission/recorded-rules.js";
import { verifyAudit } from "../../audit/verification.js";
import type { Operator } from "../../auth/operator/operator.js";
import { listOperators } from "../../auth/operator/role.js";
import { sessionsMax } from "../../auth/session/session.js";
import { isLiveSession } from "../../auth/session/session-status.js";
import { listDrills } from "../../backups/drill-history.js";
import type { Context } from "../../context.js";
import { sessions } from "../../db/schema/accounts.js";
import { readDeploymentLog } from "../../deployments/deployment-log.js";
import { countDeletions } from "../../privacy/purge.js";
import { blocksKeys, mirrorMark } from "../../redis/blocks.js";
import { roundTrip } from "../../redis/client.js";
import { readGate } from "../../redis/gate.js";
import { type RetentionClasses, retentionState } from "../retention/state.js";
import { type ControlFacts, readControlFacts } from "./control-facts.js";
import {
  accessLogFinding,
  backupFindings,
  deploymentFindings,
  drillFinding,
  keyFinding,
  operatorFindings,
  retentionFindings,
} from "./control-findings.js";
import {
  type CheckResult,
  finding,
  runChecks as runAllOr,
  runCheck as runOr,
  summarize,
} from "./finding.js";
import { oneValue } from "./one-value.js";
import { tokenAlgorithmFinding } from "./token-algorithm.js";
import type { ControlFinding, VerificationReport } from "./verification-report.js";

const auditBudgetMs = 3000;

/** What cannot be read is not shown to be good. */
const runCheck = (name: string, look: () => Promise<CheckResult>) => runOr(name, look, "fail");
const runChecks = (name: string, look: () => Promise<CheckResult[]>) =>
  runAllOr(name, look, "fail");

/** Unique indexes that the code relies on, and the invariant each one enforces. */
const uniqueIndexes = {
  users_email_key: "one confirmed account per e-mail address",
  idempotency_keys_pkey: "one write per idempotency key",
  drained_batches_pkey: "each event batch is counted once",
  alert_transitions_pkey: "one alert transition per minute",
  cron_runs_pkey: "one run per cron slot",
  blocks_standing_key: "one active block per network and user",
} as const;

/** What an auditor asks of the server, and the invariants of the stores; the audit log is read for 3 s. Reads only. */
export async function verification(ctx: Context, operator: Operator): Promise<VerificationReport> {
  const facts = readControlFacts(ctx);
  const retention = retentionState(ctx);
  const control = (
    name: ControlFinding["control"],
    found: Promise<CheckResult | CheckResult[]>[],
  ) => found.map(async (each) => [await each].flat().map((one) => ({ control: name, ...one })));
  const all = await Promise.all([
    ...control("tokens", [tokenAlgorithmFinding(ctx)]),
    ...control("access", [
      runChecks("operators", async () =>
        operatorFindings(ctx, await listOperators(ctx), await facts),
      ),
    ]),
    ...control("keys", [runCheck("data key", async () => keyFinding(ctx, await facts))]),
    ...control("retention", [
      runChecks("retention periods", async () => retentionFindings(await retention)),
      runCheck("retention", async () => overdueFinding(await retention)),
    ]),
    ...control("access_log", [
      runCheck("access log", async () =>
        accessLogFinding(await facts, ctx.env.telemetry.accessLogRetentionDays),
      ),
    ]),
    ...control("audit_log", [
      runCheck("audit log", async () => auditFinding(ctx, await facts)),
      runCheck("audit log permissions", () => auditRoleFinding(ctx)),
    ]),
    ...control("backups", [runChecks("backups", async () => backupFindings(ctx, await facts))]),
    ...control("restore_drills", [
      runCheck("last restore drill", async () => drillFinding(ctx, await listDrills(ctx))),
    ]),
    ...control("deployments", [
      runChecks("deployments", async () =>
        deploymentFindings((await readDeploymentLog(ctx)).deployments),
      ),
    ]),
    ...control("stores", [
      ...Object.entries(uniqueIndexes).map(([index, promise]) =>
        runCheck(promise, () => uniqueFinding(ctx, index, promise)),
      ),
      runCheck("sessions per user", () => sessionFinding(ctx)),
      runCheck("flags in Redis", () => flagFinding(ctx)),
      runCheck("blocks in Redis", () => blockFinding(ctx)),
      runCheck("revoke-all cutoff", () => revokeAllFinding(ctx)),
      runCheck("due deletions", () => deletionFinding(ctx)),
      runCheck("metric totals", () => totalFinding(ctx)),
    ]),
  ]);
  const findings = all.flat();
  return {
    status: summarize(findings).status,
    findings,
    release: ctx.env.release.sha,
    environment: ctx.env.jwt.environment,
    checkedAt: ctx.now.toISOString(),
    checkedBy: { kind: operator.kind, id: operator.id },
  };
}

async function uniqueFinding(ctx: Context, index: string, promise: string): Promise<CheckResult> {
  const isThere = await oneValue<boolean>(
    ctx,
    sql`select exists (select 1 from pg_index join pg_class on pg_class.oid = indexrelid
      where relname = ${index} and indisunique and indisvalid and indisready) as value`,
  );
  return finding(
    promise,
    isThere,
    isThere ? `enforced by ${index}` : `${index} is missing or invalid`,
  );
}

async function sessionFinding(ctx: Context): Promise<CheckResult> {
  const beyond = ctx.db
    .select({ userId: sessions.userId })
    .from(sessions)
    .where(isLiveSession(ctx))
    .groupBy(sessions.userId)
    .having(gt(count(), sessionsMax));
  const users = await oneValue<number>(
    ctx,
    sql`select cast(count(*) as integer) as value from ${beyond} as beyond`,
  );
  const detail = `users with more than ${sessionsMax} live sessions: ${users}`;
  return finding("sessions per user", users === 0, detail);
}

async function flagFinding(ctx: Context): Promise<CheckResult> {
  const trip = roundTrip(ctx);
  const gate = readGate(trip);
  const [recorded] = await Promise.all([readRecorded(ctx), trip.send()]);
  const { version, rows } = recorded.flags;
  const isSame = gate().flags === flagsText(version, rows);
  const detail = isSame
    ? "same as in Postgres"
    : "differ from Postgres: the next tick or `redis rebuild` repairs them";
  return finding("flags in Redis", isSame, detail);
}

async function blockFinding(ctx: Context): Promise<CheckResult> {
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
    ? `${held.length}, same as in Postgres`
    : `${held.length} of ${expected.length}: the next tick or \`redis rebuild\` repairs them`;
  return finding("blocks in Redis", isSame, detail);
}

export async function deletionFinding(ctx: Context): Promise<CheckResult> {
  const { pending, overdue } = await countDeletions(ctx);
  const detail = `${pending} pending, ${overdue} overdue: the hourly cleanup erases them`;
  return finding("due deletions", overdue === 0, detail);
}

async function revokeAllFinding(ctx: Context): Promise<CheckResult> {
  const trip = roundTrip(ctx);
  const gate = readGate(trip);
  const [recorded] = await Promise.all([
    oneValue<number>(
      ctx,
      sql`select to_json(floor(extract(epoch from revoke_all_before) * 1000)) as value
        from security_settings`,
    ),
    trip.send(),
  ]);
  const { revokeAllBefore: held } = gate();
  const isSame = held !== null && Math.abs(recorded - held) < 1;
  const detail = isSame
    ? "same as in Postgres"
    : "differs from Postgres: the next tick sets both to the later time";
  return finding("revoke-all cutoff", isSame, detail);
}

/** A total must be at least the sum of the roll-ups that are still kept. */
async function totalFinding(ctx: Context): Promise<CheckResult> {
  const short = await oneValue<number>(
    ctx,
    sql`select cast(count(*) as integer) as value from (
      select series, sum(value) as added from telemetry_minutes
      where minute > now() - interval '24 hours' group by series) as day
      left join telemetry_totals using (series) where added > coalesce(value, 0)`,
  );
  const detail = `totals below the sum of their roll-ups of the last 24 h: ${short}`;
  return finding("metric totals", short === 0, detail);
}

/** Within the time limit, or as the hourly cleanup has last verified all of it. */
async function auditFinding(
  ctx: Context,
  { audit, newestSealAt }: ControlFacts,
): Promise<CheckResult> {
  const { isIntact, rows, seals, findings, isComplete, verifiedTo } = await verifyAudit(
    ctx,
    performance.now() + auditBudgetMs,
  );
  const broken = findings.map(({ kind, firstId, lastId }) => `${kind} ${firstId}–${lastId}`);
  if (!isIntact) return finding("audit log", false, broken.join(", "));
  const whole = audit
    ? `all of it at ${audit.at}: ${audit.isBroken ? "BROKEN" : "intact"}`
    : "never";
  const upTo = isComplete
    ? `up to the newest seal${newestSealAt ? `, of ${newestSealAt}` : ""}`
    : `up to row ${verifiedTo} within ${auditBudgetMs / 1000} s; the cleanup verified ${whole}`;
  const isShown = isComplete || audit?.isBroken === false;
  const otherwise = audit?.isBroken ? "fail" : "warn";
  return finding("audit log", isShown, `${rows} rows match ${seals} seals, ${upTo}`, otherwise);
}

async function auditRoleFinding(ctx: Context): Promise<CheckResult> {
  const mayChange = await oneValue<boolean>(
    ctx,
    sql`select has_table_privilege('audit_log', 'UPDATE, DELETE, TRUNCATE') as value`,
  );
  const detail = mayChange
    ? "only triggers protect the audit log: run the app under a role that may INSERT but not UPDATE, DELETE or TRUNCATE"
    : "this role may only INSERT";
  return finding("audit log permissions", !mayChange, detail, "warn");
}

function overdueFinding({ classes }: RetentionClasses): CheckResult {
  const overdue = classes.filter(({ isOverdue }) => isOverdue);
  const detail = overdue
    .map(({ name, oldestAt, keptHours }) => `${name} since ${oldestAt}, kept ${keptHours} h`)
    .join(", ");
  const kept = `nothing of ${classes.length} classes is beyond its age`;
  return finding("retention", overdue.length === 0, detail || kept);
}

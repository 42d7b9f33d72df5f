import { sql } from "drizzle-orm";
import { isRestoring } from "../../admission/restore.js";
import { isOwnKey } from "../../alerts/notice.js";
import { channels } from "../../alerts/rule.js";
import { failedMailsMin } from "../../alerts/rules/background-rules.js";
import { routesOf, variablesOf } from "../../alerts/send-notice.js";
import { checkAgeHoursMax, drillAgeDaysMax, neverChecked } from "../../backups/check.js";
import { isBackupProcessElsewhere } from "../../backups/configured-store.js";
import type { Context } from "../../context.js";
import { migrationHead } from "../../db/migration-head.js";
import { users } from "../../db/schema/accounts.js";
import { queueEntries } from "../../db/schema/queue.js";
import { epochMsOf } from "../../db/timestamp.js";
import { readDeploymentLog, releaseName, shortSha } from "../../deployments/deployment-log.js";
import { isRecorded, ownDeploymentId } from "../../deployments/own-deployment.js";
import { health } from "../../health/health.js";
import { isOpen, isRetrying } from "../../queue/claim.js";
import { isDead, isJob, isMessage } from "../../queue/dead-letters.js";
import { listCrons } from "../../schedule/cron-status.js";
import { readBreaker } from "../../toolkit/breaker/shared-breaker.js";
import { breakerState, positionOf } from "../../toolkit/breaker/state.js";
import { getDrainStatus } from "../telemetry/drain-status.js";
import {
  type CheckReport,
  type CheckResult,
  finding,
  mailCheck,
  operatorsCheck,
  runCheck,
  summarize,
} from "./finding.js";
import { oneValue } from "./one-value.js";
import { deletionFinding } from "./verification.js";

const lagSecondsMax = 180;
const partitionsAheadMin = 7;
const skewMsMax = 2000;
const backlogSecondsMax = 300;
/** One failure is no news: the second attempt follows within a minute. */
const failedAttemptsMin = 3;
const daySeconds = 86_400;

/** The public health check (cached for 5 s) plus the state of background work and backups. A store that is down does not hide the other checks. */
export async function fullHealth(ctx: Context): Promise<CheckReport> {
  const [basic, ...rest] = await Promise.all([
    health(ctx),
    runCheck("release", () => releaseFinding(ctx)),
    runCheck("toolkit breaker", () => breakerFinding(ctx)),
    runCheck("drain", () => drainFinding(ctx)),
    runCheck("cron jobs", () => cronFinding(ctx)),
    runCheck("migrations", () => migrationFinding(ctx)),
    runCheck("partitions ahead", () => partitionFinding(ctx)),
    runCheck("clock skew to the database", () => skewFinding(ctx)),
    runCheck("jobs", () => jobFinding(ctx)),
    runCheck("outbox", () => outboxFinding(ctx)),
    mailFinding(ctx),
    runCheck(operatorsCheck, () => operatorFinding(ctx)),
    runCheck("due deletions", () => deletionFinding(ctx)),
    runCheck("restore", () => restoreFinding(ctx)),
    runCheck("audit log", () => auditFinding(ctx)),
    runCheck("backups", () => backupFinding(ctx)),
    runCheck("restore drill", () => drillFinding(ctx)),
    runCheck("alerts", () => alertFinding(ctx)),
  ]);
  const stores = Object.entries(basic.checks).flatMap(([name, [check]]) =>
    check === undefined
      ? []
      : [
          {
            name,
            status: check.status,
            detail: check.output ?? `${check.observedValue} ${check.observedUnit}`,
          },
        ],
  );
  return summarize([...stores, ...rest]);
}

/** A warning while this process belongs to another release than the live one, as in a rolling deployment. */
async function releaseFinding(ctx: Context): Promise<CheckResult> {
  const own = shortSha(ctx.env.release.sha);
  const { deployments } = await readDeploymentLog(ctx);
  const live = deployments.find(({ state }) => state === "live");
  if (!live) return finding("release", true, `${own}, no deployment is recorded`);
  const isOwn = !isRecorded(ctx.env) || live.id === ownDeploymentId(ctx.env);
  const detail = `${releaseName(live)} on ${live.platform} is live since ${live.liveAt}`;
  return finding("release", isOwn, isOwn ? detail : `${detail}, this process is ${own}`, "warn");
}

async function breakerFinding({ gate, now }: Context): Promise<CheckResult> {
  if (!gate) throw new Error("Redis was not read.");
  const state = breakerState(gate.toolkitBreaker);
  const result = (detail: string) =>
    finding("toolkit breaker", state.mode === "closed", detail, "warn");
  if (state.mode === "closed") return result("closed");
  if (state.mode !== "open") return result(`forced ${forced[state.mode]} by an operator`);
  const { openedAtMs } = await readBreaker();
  const isHalfOpen = positionOf(state, now.getTime()) === "half_open";
  const position = isHalfOpen ? `half-open since ${isoOf(state.untilMs)}` : "open";
  return result(openedAtMs ? `${position}, first opened at ${isoOf(openedAtMs)}` : position);
}

const forced = { forced_open: "open", forced_closed: "closed" } as const;
const isoOf = (ms: number) => new Date(ms).toISOString();

async function drainFinding(ctx: Context): Promise<CheckResult> {
  const { lagSeconds, keeps, gaps } = await getDrainStatus(ctx);
  const isGood = lagSeconds <= lagSecondsMax && keeps === "every row";
  const lost = gaps.reduce((sum, { missing }) => sum + missing, 0);
  const restored = lost > 0 ? await restoredText(ctx) : "";
  const detail = `lag ${lagSeconds} s, keeps ${keeps}, ${lost} batches lost in the last two days${restored}`;
  return finding("drain", isGood, detail);
}

/** The marks of batches are older than a restore, as all rows. */
async function restoredText(ctx: Context): Promise<string> {
  const ms = await oneValue<string | null>(
    ctx,
    sql`select (select ${epochMsOf(sql`restore_finished_at`)} from security_settings
      where restore_finished_at > now() - interval '2 days') as value`,
  );
  return ms
    ? `; the restore that ended at ${isoOf(Number(ms))} lost those that were drained after its backup`
    : "";
}

async function cronFinding(ctx: Context): Promise<CheckResult> {
  const { crons } = await listCrons(ctx);
  const today = ctx.now.toISOString().slice(0, 10);
  const descriptions = crons.flatMap(({ job, dueAt, missedSlots, isLate }) => {
    if (dueAt === null) return isLate ? [`${job} missed ${missedSlots} slots`] : [];
    return [
      isLate
        ? `${job} never succeeded, due since ${dueAt}`
        : `${job} is due at ${dueAt.startsWith(today) ? "" : `${dueAt.slice(0, 10)} `}${dueAt.slice(11, 16)} UTC`,
    ];
  });
  return finding(
    "cron jobs",
    crons.every(({ isLate }) => !isLate),
    descriptions.join(", ") || "every job ran on time",
  );
}

async function migrationFinding(ctx: Context): Promise<CheckResult> {
  const head = await oneValue<string | null>(
    ctx,
    sql`select max(name collate "C") as value from schema_migrations`,
  );
  const isGood = head !== null && head >= migrationHead;
  return finding("migrations", isGood, `database ${head ?? "none"}, release ${migrationHead}`);
}

async function partitionFinding(ctx: Context): Promise<CheckResult> {
  const ahead = await oneValue<number>(
    ctx,
    sql`select cast(count(*) as integer) as value from pg_inherits
      join pg_class on pg_class.oid = inhrelid
      where inhparent = 'access_log'::regclass
        and relname > 'access_log_' || to_char(now() at time zone 'UTC', 'YYYYMMDD')`,
  );
  return finding("partitions ahead", ahead >= partitionsAheadMin, `${ahead} days`);
}

async function restoreFinding(ctx: Context): Promise<CheckResult> {
  const isServing = !(await isRestoring(ctx));
  const detail = isServing ? "none in progress" : "in progress: `restore finish` opens the app";
  return finding("restore", isServing, detail);
}

async function skewFinding(ctx: Context): Promise<CheckResult> {
  const before = Date.now();
  const theirs = await oneValue<number>(
    ctx,
    sql`select to_json(extract(epoch from clock_timestamp()) * 1000) as value`,
  );
  const after = Date.now();
  // The query ran at some time between the two local readings.
  const skewMs = Math.round(Math.max(before - theirs, theirs - after, 0));
  return finding("clock skew to the database", skewMs <= skewMsMax, `${skewMs} ms`, "warn");
}

async function jobFinding(ctx: Context): Promise<CheckResult> {
  const dead = await oneValue<number>(
    ctx,
    sql`select cast(count(*) as integer) as value from ${queueEntries} where ${isJob} and ${isDead}`,
  );
  return finding("jobs", dead === 0, `dead letters: ${dead}`, "warn");
}

async function outboxFinding(ctx: Context): Promise<CheckResult> {
  const counts = await oneValue<{
    seconds: number | null;
    retrying: { count: number; error: string | null };
    mails: number;
    notices: number;
  }>(
    ctx,
    sql`select json_build_object(
        'seconds', (select cast(extract(epoch from now() - min(run_after)) as integer) from ${queueEntries}
          where ${isMessage} and ${isOpen} and run_after <= now() and expires_at > now()),
        'retrying', (select json_build_object('count', count(*), 'error', max(last_error)) from ${queueEntries}
          where ${isMessage} and ${isRetrying} and attempts >= ${failedAttemptsMin}),
        'mails', count(*) filter (where kind = 'mail'),
        'notices', count(*) filter (where kind = 'notice')) as value
      from ${queueEntries} where ${isMessage} and ${isDead} and expires_at > now()`,
  );
  const { seconds, retrying, mails, notices } = counts;
  const due = seconds === null ? "no backlog" : `the oldest entry has been due for ${seconds} s`;
  const failed = mails + notices;
  const isGood =
    (seconds ?? 0) <= backlogSecondsMax &&
    retrying.count === 0 &&
    mails < failedMailsMin &&
    notices === 0;
  const detail = [
    due,
    ...(retrying.count > 0 ? [`${retrying.count} keep failing (${retrying.error})`] : []),
    ...(failed > 0 ? [`failed: ${failed}`] : []),
  ].join("; ");
  return finding("outbox", isGood, detail, "warn");
}

/** In development the mailbox shows the mail. */
function mailFinding({ env }: Context): CheckResult {
  if (env.mail.apiKey) return finding(mailCheck, true, "sent through Resend");
  const detail = "no mail is sent: set RESEND_API_KEY on the server and deploy";
  return finding(mailCheck, !env.production, detail, "warn");
}

async function operatorFinding(ctx: Context): Promise<CheckResult> {
  const { all, admins } = await oneValue<{ all: number; admins: number }>(
    ctx,
    sql`select json_build_object('all', count(*), 'admins', count(*) filter (where role = 'admin')) as value
      from ${users} where role <> 'user'`,
  );
  const detail =
    all > 0 ? `${all}, of them admins: ${admins}` : "none: `operator enrol` makes the first admin";
  return finding(operatorsCheck, all > 0, detail, "warn");
}

async function auditFinding(ctx: Context): Promise<CheckResult> {
  const broken = await oneValue<number | null>(
    ctx,
    sql`select (select value from telemetry_gauges where series = 'audit_chain_broken') as value`,
  );
  const detail = broken === null ? "the first cleanup verifies it" : broken ? "BROKEN" : "intact";
  return finding("audit log", broken !== 1, detail);
}

async function backupFinding(ctx: Context): Promise<CheckResult> {
  const { seconds, failed } = await oneValue<{ seconds: number | null; failed: string[] }>(
    ctx,
    sql`select json_build_object(
        'seconds', cast(extract(epoch from now() - to_timestamp(max(value)
          filter (where series = 'backup_last_check_timestamp_seconds'))) as integer),
        'failed', coalesce(json_agg(series) filter (where starts_with(series, 'backup_unsafe') and value >= 1), '[]'))
      as value from telemetry_gauges`,
  );
  if (seconds === null) {
    const isElsewhere = isBackupProcessElsewhere(ctx);
    const detail = isElsewhere ? neverChecked : "not checked yet: `ops backup check`";
    return notChecked(ctx, "backups", detail);
  }
  const names = failed.map((series) => /check="(\w+)"/.exec(series)?.[1] ?? series);
  const hours = Math.floor(seconds / 3600);
  const isRecent = seconds <= checkAgeHoursMax * 3600;
  const age = `checked ${hours} h ago${isRecent ? "" : `, at most ${checkAgeHoursMax}`}`;
  const detail = `${age}; failed: ${names.join(", ") || "none"}`;
  return finding("backups", isRecent && names.length === 0, detail);
}

/** A running drill does not hide how the last one ended. */
async function drillFinding(ctx: Context): Promise<CheckResult> {
  const { last, runningSeconds } = await oneValue<{
    last: { seconds: number; succeeded: boolean } | null;
    runningSeconds: number | null;
  }>(
    ctx,
    sql`select json_build_object(
        'last', (select json_build_object(
            'seconds', cast(extract(epoch from now() - finished_at) as integer), 'succeeded', succeeded)
          from restore_drills where finished_at is not null order by started_at desc limit 1),
        'runningSeconds', (select cast(extract(epoch from now() - started_at) as integer)
          from restore_drills where finished_at is null)) as value`,
  );
  if (!last && runningSeconds === null) {
    return notChecked(ctx, "restore drill", "none yet: `ops drill run`");
  }
  const days = Math.floor((last?.seconds ?? 0) / daySeconds);
  const ended = last
    ? `the last one, ${days} days ago, ${last.succeeded ? "succeeded" : "FAILED"}`
    : "none has ended yet";
  const hours = Math.floor((runningSeconds ?? 0) / 3600);
  const detail = runningSeconds === null ? ended : `${ended}; running for ${hours} h`;
  const isStuck = (runningSeconds ?? 0) > daySeconds;
  const isProven = last?.succeeded === true && last.seconds <= drillAgeDaysMax * daySeconds;
  return finding("restore drill", isProven && !isStuck, detail, last || isStuck ? "fail" : "warn");
}

/** Without a backup store, development has nothing to check. */
function notChecked({ env }: Context, name: string, detail: string): CheckResult {
  const isQuiet = !env.production && !env.backups.neon && !env.backups.hasArchives;
  return finding(name, isQuiet, isQuiet ? "no backup store is configured" : detail, "warn");
}

async function alertFinding(ctx: Context): Promise<CheckResult> {
  const names = await oneValue<string[]>(
    ctx,
    sql`select coalesce(json_agg(rule || case label when '' then '' else ' (' || label || ')' end), '[]')
      as value from alerts where state = 'firing' and ${isOwnKey(ctx, sql`key`)}`,
  );
  const firing = names.join(", ") || "none firing";
  const unheard = unheardText(ctx);
  const detail = unheard ? `${firing}; ${unheard}` : firing;
  return finding("alerts", names.length === 0 && !unheard, detail, "warn");
}

/** Only production needs a destination. */
function unheardText({ env }: Context): string | undefined {
  if (!env.production) return undefined;
  const unheard = channels.filter((channel) => routesOf(env, channel).length === 0);
  const [first] = unheard;
  return first && `no destination configured for ${unheard.join(", ")}: set ${variablesOf[first]}`;
}

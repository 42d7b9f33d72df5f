import { sql } from "drizzle-orm";
import { isOwnKey } from "../../alerts/notice.js";
import { failedMailsMin } from "../../alerts/rules.js";
import type { Context } from "../../context.js";
import { migrationHead } from "../../db/migration-head.js";
import { queueEntries } from "../../db/schema/queue.js";
import { health } from "../../health/health.js";
import { isOpen } from "../../queue/claim.js";
import { isDead, isJob, isMessage } from "../../queue/dead-letters.js";
import { listCrons } from "../../schedule/cron-status.js";
import { readBreaker } from "../../toolkit/breaker/shared-breaker.js";
import { breakerState, positionOf } from "../../toolkit/breaker/state.js";
import { showDrain } from "../telemetry/drain-status.js";
import { type Finding, type Findings, finding, found, looked } from "./finding.js";
import { oneValue } from "./one-value.js";

const lagSecondsMax = 180;
const partitionsAheadMin = 7;
const skewMsMax = 2000;
const waitingSecondsMax = 300;

/**
 * The health that anybody may ask for, and what only operators are told: how the work behind the requests
 * stands. Each part is looked at by itself, so that one store that is away does not hide the others.
 */
export async function fullHealth(ctx: Context): Promise<Findings> {
  const [basic, ...rest] = await Promise.all([
    health(ctx),
    looked("toolkit breaker", () => breakerFinding(ctx)),
    looked("drain", () => drainFinding(ctx)),
    looked("clock", () => cronFinding(ctx)),
    looked("migrations", () => migrationFinding(ctx)),
    looked("partitions ahead", () => partitionFinding(ctx)),
    looked("clock skew to the database", () => skewFinding(ctx)),
    looked("jobs", () => jobFinding(ctx)),
    looked("outbox", () => outboxFinding(ctx)),
    looked("audit log", () => auditFinding(ctx)),
    looked("alerts", () => alertFinding(ctx)),
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
  return found([...stores, ...rest]);
}

async function breakerFinding({ gate, now }: Context): Promise<Finding> {
  if (!gate) throw new Error("Redis was not read.");
  const state = breakerState(gate.toolkitBreaker);
  const told = (detail: string) =>
    finding("toolkit breaker", state.mode === "closed", detail, "warn");
  if (state.mode === "closed") return told("closed");
  if (state.mode !== "open") return told(`held ${held[state.mode]} by an operator`);
  const { openedAtMs } = await readBreaker();
  const isHalfOpen = positionOf(state, now.getTime()) === "half_open";
  const position = isHalfOpen ? `half-open since ${isoOf(state.untilMs)}` : "open";
  return told(openedAtMs ? `${position}, not closed since ${isoOf(openedAtMs)}` : position);
}

const held = { forced_open: "open", forced_closed: "closed" } as const;
const isoOf = (ms: number) => new Date(ms).toISOString();

async function drainFinding(ctx: Context): Promise<Finding> {
  const { lagSeconds, keeps, gaps } = await showDrain(ctx);
  const isGood = lagSeconds <= lagSecondsMax && keeps === "every row";
  const lost = gaps.reduce((sum, { missing }) => sum + missing, 0);
  const detail = `${lagSeconds} s behind, keeps ${keeps}, ${lost} batches missing of two days`;
  return finding("drain", isGood, detail);
}

async function cronFinding(ctx: Context): Promise<Finding> {
  const { crons } = await listCrons(ctx);
  const late = crons.filter(({ missedSlots }) => missedSlots === null || missedSlots > 1);
  const told = late.map(({ job, missedSlots }) =>
    missedSlots === null ? `${job} never ran` : `${job} missed ${missedSlots} slots`,
  );
  return finding("clock", late.length === 0, told.join(", ") || "every job ran in time");
}

async function migrationFinding(ctx: Context): Promise<Finding> {
  const head = await oneValue<string | null>(
    ctx,
    sql`select max(name collate "C") as value from schema_migrations`,
  );
  const isGood = head !== null && head >= migrationHead;
  return finding("migrations", isGood, `database ${head ?? "none"}, release ${migrationHead}`);
}

async function partitionFinding(ctx: Context): Promise<Finding> {
  const ahead = await oneValue<number>(
    ctx,
    sql`select cast(count(*) as integer) as value from pg_inherits
      join pg_class on pg_class.oid = inhrelid
      where inhparent = 'access_log'::regclass
        and relname > 'access_log_' || to_char(now() at time zone 'UTC', 'YYYYMMDD')`,
  );
  return finding("partitions ahead", ahead >= partitionsAheadMin, `${ahead} days`);
}

async function skewFinding(ctx: Context): Promise<Finding> {
  const before = Date.now();
  const theirs = await oneValue<number>(
    ctx,
    sql`select to_json(extract(epoch from clock_timestamp()) * 1000) as value`,
  );
  const after = Date.now();
  // Between the two looks at our own clock nobody can tell.
  const skewMs = Math.round(Math.max(before - theirs, theirs - after, 0));
  return finding("clock skew to the database", skewMs <= skewMsMax, `${skewMs} ms`, "warn");
}

async function jobFinding(ctx: Context): Promise<Finding> {
  const dead = await oneValue<number>(
    ctx,
    sql`select cast(count(*) as integer) as value from ${queueEntries} where ${isJob} and ${isDead}`,
  );
  return finding("jobs", dead === 0, `${dead} were given up`, "warn");
}

async function outboxFinding(ctx: Context): Promise<Finding> {
  const waits = await oneValue<{ seconds: number | null; mails: number; notices: number }>(
    ctx,
    sql`select json_build_object(
        'seconds', (select cast(extract(epoch from now() - min(run_after)) as integer) from ${queueEntries}
          where ${isMessage} and ${isOpen} and run_after <= now() and expires_at > now()),
        'mails', count(*) filter (where kind = 'mail'),
        'notices', count(*) filter (where kind = 'notice')) as value
      from ${queueEntries} where ${isMessage} and ${isDead} and expires_at > now()`,
  );
  const { seconds, mails, notices } = waits;
  const due = seconds === null ? "nothing is due" : `something has been due for ${seconds} s`;
  const failed = mails + notices;
  const isWell = (seconds ?? 0) <= waitingSecondsMax && mails < failedMailsMin && notices === 0;
  const detail = failed > 0 ? `${due}; ${failed} could not be sent` : due;
  return finding("outbox", isWell, detail, "warn");
}

async function auditFinding(ctx: Context): Promise<Finding> {
  const broken = await oneValue<number | null>(
    ctx,
    sql`select (select value from telemetry_gauges where series = 'audit_chain_broken') as value`,
  );
  const detail = broken === null ? "not compared with its seals yet" : broken ? "BROKEN" : "intact";
  return finding("audit log", broken !== 1, detail);
}

async function alertFinding(ctx: Context): Promise<Finding> {
  const names = await oneValue<string[]>(
    ctx,
    sql`select coalesce(json_agg(rule || case label when '' then '' else ' (' || label || ')' end), '[]')
      as value from alerts where state = 'firing' and ${isOwnKey(ctx, sql`key`)}`,
  );
  return finding("alerts", names.length === 0, names.join(", ") || "none fires", "warn");
}

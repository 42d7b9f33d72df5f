import type { SQL } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { cronLeaseLost, cronPartFailed } from "../observability/log-lines/cron.js";
import { claimSlot, finishSlot, type Lease, releaseSlot, type Slots } from "./lease.js";

export interface CronRun {
  /** For `requireLease` and `moveCursor`, which fail once another run has taken the lease over. */
  lease: Lease;
  /**
   * Shortly before its budget is used up, by `performance.now()`: long work starts no statement after it, and continues in
   * the next run. So a backlog is no failure.
   */
  endMs: number;
}

/** A step of a job. It must be safe to repeat and to run concurrently, because a lease can expire during a slow run. */
export type CronPart = readonly [
  name: string,
  work: (ctx: Context, run: CronRun) => Promise<unknown>,
  options?: {
    budgetSeconds?: number;
    /** Also runs when Postgres, and with it the lease, is unavailable. */
    withoutDatabase?: boolean;
  },
];

export interface Cron extends Slots {
  budgetSeconds: number;
  parts: readonly CronPart[];
}

const PartReport = z.strictObject({
  /** `overdue`: still running at the end of its budget. `skipped`: not started, as no time was left or others were asked for. */
  outcome: z.enum(["done", "failed", "overdue", "skipped"]),
  durationMs: z.int().min(0),
  detail: z.unknown(),
});
type PartReport = z.infer<typeof PartReport>;

export const CronReport = z
  .strictObject({
    slot: z.string(),
    /** False when the slot is done or another run holds the lease. */
    ran: z.boolean(),
    parts: z.record(z.string(), PartReport),
  })
  .meta({ id: "CronReport" });
export type CronReport = z.infer<typeof CronReport>;

export interface CronOutcome {
  report: CronReport;
  /** The slot ran, every part that was asked for was done, and the lease was kept. */
  isGood: boolean;
  failure?: unknown;
}

interface RunOptions {
  again?: boolean;
  beside?: (lease: SQL) => SQL;
  budgetSeconds?: number;
  /** Names of parts; the others are reported as skipped. It is no run of the job: nothing is recorded, the slot is not done. */
  only?: readonly string[];
}

const partSeconds = 8;
const leastMs = 250;
/** For the last statement of a part. */
const marginMs = 2500;

/**
 * Run the parts of the current slot (by the clock of Postgres) unless it is running or, without `again`, done. A failed part
 * is returned and does not stop the others. Without Postgres, runs the parts with `withoutDatabase`, then rejects.
 */
export async function runCron(
  ctx: Context,
  cron: Cron,
  { budgetSeconds = cron.budgetSeconds, only, ...options }: RunOptions = {},
): Promise<CronOutcome> {
  const endMs = performance.now() + budgetSeconds * 1000;
  let claim: Awaited<ReturnType<typeof claimSlot>>;
  try {
    claim = await claimSlot(ctx, cron, { ...options, isRecorded: only === undefined });
  } catch (error) {
    await runWithoutDatabase(ctx, cron, endMs);
    throw error;
  }
  if ("refused" in claim) {
    return { report: { slot: claim.slot, ran: false, parts: {} }, isGood: false };
  }
  const { lease } = claim;
  const isAskedFor = ([name]: CronPart) => only?.includes(name) ?? true;
  const done = await runParts(ctx, cron.parts.filter(isAskedFor), { lease, endMs });
  const others = cron.parts.filter((part) => !isAskedFor(part)).map(([name]) => skipped(name));
  const unfinished = done.filter(({ outcome }) => outcome !== "done").map(({ name }) => name);
  const isKept = await (only ? releaseSlot(ctx, lease) : finishSlot(ctx, lease, unfinished));
  if (!isKept) cronLeaseLost(ctx.correlationId, lease.job);
  return {
    report: { slot: lease.slot, ran: true, parts: reportOf([...others, ...done]) },
    isGood: isKept && unfinished.length === 0,
    failure: done.find(({ failure }) => failure !== undefined)?.failure,
  };
}

/** With an invalid lease, so that `requireLease` fails. */
async function runWithoutDatabase(ctx: Context, { name, parts }: Cron, endMs: number) {
  const able = parts.filter(([, , options]) => options?.withoutDatabase);
  await runParts(ctx, able, { lease: { job: name, slot: "", token: 0 }, endMs });
}

interface PartResult extends PartReport {
  name: string;
  failure?: unknown;
}

async function runParts(
  ctx: Context,
  parts: readonly CronPart[],
  run: CronRun,
): Promise<PartResult[]> {
  const done: PartResult[] = [];
  // Half of an equal share is kept for each later part: a slow part must not take all of its time.
  const keptMs = (run.endMs - performance.now()) / (2 * parts.length);
  for (const [at, part] of parts.entries()) {
    const laterMs = (parts.length - 1 - at) * keptMs;
    done.push(await runPart(ctx, part, { ...run, endMs: run.endMs - laterMs }));
  }
  return done;
}

const skipped = (name: string): PartResult => ({
  name,
  outcome: "skipped",
  durationMs: 0,
  detail: null,
});

class Overdue extends Error {
  override readonly name = "Overdue";
}

async function runPart(
  ctx: Context,
  [name, work, { budgetSeconds = partSeconds } = {}]: CronPart,
  { lease, endMs }: CronRun,
): Promise<PartResult> {
  const startedMs = performance.now();
  const budgetMs = Math.min(budgetSeconds * 1000, endMs - startedMs);
  const durationMs = () => Math.round(performance.now() - startedMs);
  if (budgetMs < leastMs) return skipped(name);
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    const late = () => reject(new Overdue(`The budget of ${Math.round(budgetMs)} ms is used up.`));
    timer = setTimeout(late, budgetMs);
  });
  try {
    const run = { lease, endMs: startedMs + budgetMs - Math.min(marginMs, budgetMs / 2) };
    const detail = (await Promise.race([work(ctx, run), deadline])) ?? null;
    return { name, outcome: "done", durationMs: durationMs(), detail };
  } catch (failure) {
    cronPartFailed(ctx.correlationId, name, failure);
    const outcome = failure instanceof Overdue ? "overdue" : "failed";
    return { name, outcome, durationMs: durationMs(), detail: null, failure };
  } finally {
    clearTimeout(timer);
  }
}

function reportOf(done: PartResult[]): CronReport["parts"] {
  return Object.fromEntries(
    done.map(({ name, outcome, durationMs, detail }) => [name, { outcome, durationMs, detail }]),
  );
}

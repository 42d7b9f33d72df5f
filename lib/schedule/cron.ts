import type { SQL } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { cronLeaseLost, cronPartFailed } from "../observability/log-lines/cron.js";
import { claimSlot, finishSlot, type Lease, type Slots } from "./lease.js";

/** What a part is given besides the context. */
export interface Run {
  /** What it writes under `whileHeld` is refused once somebody has taken over. */
  lease: Lease;
  /** When its budget ends, by `performance.now()`: long work stops before, and goes on from a cursor. */
  endMs: number;
}

/**
 * One thing that is to be done in each slot. It is harmless when it is done twice or at once, for a
 * lease may run out under somebody who is only slow. What it resolves to is shown to operators.
 */
export type Part = readonly [
  name: string,
  work: (ctx: Context, run: Run) => Promise<unknown>,
  options?: {
    budgetSeconds?: number;
    /** True for what has to be done although Postgres, and with it the lease, is away. */
    withoutDatabase?: boolean;
  },
];

/** A job of the clock: parts that are done in their order, under one lease. */
export interface Cron extends Slots {
  budgetSeconds: number;
  parts: readonly Part[];
}

const PartReport = z.strictObject({
  /** `overdue`: it was left behind at the end of its budget. `skipped`: no time was left for it. */
  outcome: z.enum(["done", "failed", "overdue", "skipped"]),
  durationMs: z.int().min(0),
  /** What it did. */
  detail: z.unknown(),
});
type PartReport = z.infer<typeof PartReport>;

export const CronReport = z
  .strictObject({
    slot: z.string(),
    /** False when the slot is done, or somebody is at it. */
    ran: z.boolean(),
    parts: z.record(z.string(), PartReport),
  })
  .meta({ id: "CronReport" });
export type CronReport = z.infer<typeof CronReport>;

export interface CronOutcome {
  report: CronReport;
  /** True when every part was done now. */
  isGood: boolean;
  /** Why the first part failed that did. */
  failure?: unknown;
}

interface RunOptions {
  again?: boolean;
  beside?: (lease: SQL) => SQL;
  /** In place of the job's own budget. */
  budgetSeconds?: number;
}

const partSeconds = 8;
/** With less than this a part is not begun. */
const leastMs = 250;

/**
 * Do the work of the slot that the database's clock is in, unless somebody did or does. A part that
 * fails or hangs stops no other. Rejects when Postgres gives no answer about the slot, for whatever
 * reason, after the parts that do without it.
 */
export async function runCron(
  ctx: Context,
  cron: Cron,
  { budgetSeconds = cron.budgetSeconds, ...options }: RunOptions = {},
): Promise<CronOutcome> {
  const endMs = performance.now() + budgetSeconds * 1000;
  let claim: Awaited<ReturnType<typeof claimSlot>>;
  try {
    claim = await claimSlot(ctx, cron, options);
  } catch (error) {
    await runWithoutDatabase(ctx, cron, endMs);
    throw error;
  }
  if ("refused" in claim) {
    return { report: { slot: claim.slot, ran: false, parts: {} }, isGood: false };
  }
  const { lease } = claim;
  const done = await runParts(ctx, cron.parts, { lease, endMs });
  const unfinished = done.filter(({ outcome }) => outcome !== "done").map(({ name }) => name);
  const isKept = await finishSlot(ctx, lease, unfinished);
  if (!isKept) cronLeaseLost(ctx.correlationId, lease.job);
  return {
    report: { slot: lease.slot, ran: true, parts: reportOf(done) },
    isGood: isKept && unfinished.length === 0,
    failure: done.find(({ failure }) => failure !== undefined)?.failure,
  };
}

/** Under a lease that nobody gave: whatever it would guard is refused. */
async function runWithoutDatabase(ctx: Context, { name, parts }: Cron, endMs: number) {
  const able = parts.filter(([, , options]) => options?.withoutDatabase);
  await runParts(ctx, able, { lease: { job: name, slot: "", token: 0 }, endMs });
}

interface Done extends PartReport {
  name: string;
  failure?: unknown;
}

async function runParts(ctx: Context, parts: readonly Part[], run: Run): Promise<Done[]> {
  const done: Done[] = [];
  for (const part of parts) done.push(await runPart(ctx, part, run));
  return done;
}

class Overdue extends Error {
  override readonly name = "Overdue";
}

async function runPart(
  ctx: Context,
  [name, work, { budgetSeconds = partSeconds } = {}]: Part,
  { lease, endMs }: Run,
): Promise<Done> {
  const startedMs = performance.now();
  const budgetMs = Math.min(budgetSeconds * 1000, endMs - startedMs);
  const durationMs = () => Math.round(performance.now() - startedMs);
  if (budgetMs < leastMs) return { name, outcome: "skipped", durationMs: 0, detail: null };
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    const late = () => reject(new Overdue(`Its budget of ${Math.round(budgetMs)} ms is over.`));
    timer = setTimeout(late, budgetMs);
  });
  try {
    const run = { lease, endMs: startedMs + budgetMs };
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

function reportOf(done: Done[]): CronReport["parts"] {
  return Object.fromEntries(
    done.map(({ name, outcome, durationMs, detail }) => [name, { outcome, durationMs, detail }]),
  );
}

import { and, eq, isNull, lte, type SQL, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { lacksRequiredRow } from "../db/failures.js";
import { requiredRow } from "../db/required-row.js";
import { restoreDrills } from "../db/schema/backups.js";
import { writeGauges } from "../db/write-gauges.js";
import {
  drillLeftoversFound,
  restoreDrillFailed,
  restoreDrillStepRetried,
  restoreDrillSucceeded,
} from "../observability/log-lines/backups.js";
import { seriesName } from "../observability/metrics.js";
import { hasCanary, writeCanary } from "./canary.js";
import { backupStore, isBackupProcessElsewhere } from "./configured-store.js";
import {
  copyPrefix,
  type DrillFinding,
  DrillFindings,
  type DrillPart,
  drillParts,
  proofs,
  rtoSecondsOf,
} from "./drill-parts.js";
import { readExpectations } from "./expectations.js";
import { proveAudit, proveCanary, proveMigrations, proveRows } from "./proofs.js";
import type { BackupStore } from "./store.js";
import { BackupStoreError, CopyKeptError } from "./store-error.js";

type Drill = typeof restoreDrills.$inferSelect;

/** What a step changes; without `isDone` it is repeated by the next call. */
interface StepResult {
  isDone: boolean;
  set?: Partial<Drill>;
  finding?: DrillFinding;
}

interface Step {
  name: string;
  /** Failures of it are reported under this name. */
  part: DrillPart;
  /** Without progress for so long, the step is given up. */
  minutesMax: number;
  run(ctx: Context, store: BackupStore, drill: Drill): Promise<StepResult>;
}

const minuteMs = 60_000;
const copyLifeMs = 24 * 60 * minuteMs;
/** Longer than a step can take, and shorter than the time between two ticks. */
const leaseSeconds = 50;

/** Until a newer backup is there, or the backup process runs. */
const planning: Step = { name: "plan", part: "create", minutesMax: 3 * 60, run: plan };

const steps: readonly Step[] = [
  planning,
  { name: "create", part: "create", minutesMax: 15, run: create },
  { name: "wait", part: "wait", minutesMax: 30, run: wait },
  { name: "prove_canary", part: "canary", minutesMax: 15, run: proveCanary },
  { name: "prove_rows", part: "rows", minutesMax: 15, run: proveRows },
  { name: "prove_migrations", part: "migrations", minutesMax: 15, run: proveMigrations },
  { name: "prove_audit", part: "audit", minutesMax: 120, run: proveAudit },
  { name: "clean_up", part: "clean_up", minutesMax: 60, run: cleanUp },
];

/**
 * Run one step of the running drill, if there is one and no other call is running it. Each step can be repeated: a step that
 * was interrupted before it was recorded runs again. `given` is the store of the backup process, which then runs it instead of the
 * tick. Returns the step; null without a drill.
 */
export async function advanceDrill(
  ctx: Context,
  given?: BackupStore,
): Promise<{ step: string } | null> {
  if (!given && isBackupProcessElsewhere(ctx)) return endUnplanned(ctx);
  const drill = await claim(ctx);
  if (!drill) return null;
  const step = steps.find(({ name }) => name === drill.step);
  if (!step) throw new Error(`Unknown step of a restore drill: ${drill.step}`);
  await record(ctx, drill, step, await runStep(ctx, drill, step, given));
  return { step: step.name };
}

async function runStep(
  ctx: Context,
  drill: Drill,
  step: Step,
  given: BackupStore | undefined,
): Promise<StepResult> {
  try {
    const store = given ?? (await backupStore(ctx));
    if (!store) throw new BackupStoreError("no backup store is configured");
    return await step.run(ctx, store, drill);
  } catch (error) {
    const isOver =
      ctx.now.getTime() > drill.stepStartedAt.getTime() + step.minutesMax * minuteMs ||
      (error instanceof BackupStoreError && error.isFinal && step.name !== "clean_up");
    const detail = error instanceof BackupStoreError ? error.message : "the copy did not answer";
    if (isOver) return { isDone: true, finding: { part: step.part, passed: false, detail } };
    restoreDrillStepRetried(ctx.correlationId, step.name, error);
    return { isDone: false, set: { lastError: detail } };
  }
}

/** The backup process does not take it: without an end it would stop each later drill. */
async function endUnplanned(ctx: Context): Promise<{ step: string } | null> {
  const { name, part, minutesMax } = planning;
  const since = new Date(ctx.now.getTime() - minutesMax * minuteMs);
  const { step, stepStartedAt } = restoreDrills;
  const drill = await claim(ctx, and(eq(step, name), lte(stepStartedAt, since)));
  if (!drill) return null;
  const detail =
    drill.lastError ??
    "the backup process has not begun it: is `npm run backup -- run` running (in containers: `docker-compose up -d backup`)?";
  await record(ctx, drill, planning, { isDone: true, finding: { part, passed: false, detail } });
  return { step: name };
}

async function claim({ db }: Context, which?: SQL): Promise<Drill | undefined> {
  const [drill] = await db
    .update(restoreDrills)
    .set({
      token: sql`${restoreDrills.token} + 1`,
      heldUntil: sql`now() + make_interval(secs => ${leaseSeconds})`,
    })
    .where(and(isNull(restoreDrills.finishedAt), lte(restoreDrills.heldUntil, sql`now()`), which))
    .returning();
  return drill;
}

/** One transaction, without effect if another call has claimed the drill since. */
async function record(ctx: Context, drill: Drill, step: Step, result: StepResult): Promise<void> {
  const { isDone, set = {}, finding } = result;
  const before = DrillFindings.parse(drill.findings);
  const findings = finding ? [...before, finding] : before;
  const next = isDone ? nextStep(step, finding) : step.name;
  const isFinished = next === undefined;
  const wasProven = isProven(before);
  const provenAt = !wasProven && isProven(findings) ? ctx.now : drill.provenAt;
  const succeeded = isFinished
    ? isProven(findings) && findings.every(({ passed }) => passed)
    : null;
  const changed = {
    ...(isDone ? { stepStartedAt: ctx.now, lastError: null } : {}),
    ...set,
    findings,
    provenAt,
    step: next ?? step.name,
    finishedAt: isFinished ? ctx.now : null,
    succeeded,
  };
  const after = { ...drill, ...changed };
  const isOurs = and(eq(restoreDrills.id, drill.id), eq(restoreDrills.token, drill.token));
  const claimed = sql`(select 1 from ${restoreDrills} where ${isOurs} for update) as claimed`;
  try {
    await ctx.db.batch([
      ctx.db.execute(sql`select ${requiredRow(claimed)}`),
      ctx.db
        .update(restoreDrills)
        .set({ ...changed, heldUntil: sql`now()` })
        .where(isOurs),
      writeGauges(ctx, gaugesOf(after, findings)),
    ]);
  } catch (error) {
    if (lacksRequiredRow(error)) return;
    throw error;
  }
  if (finding && !finding.passed) log(ctx, finding);
  if (succeeded) {
    const { rtoSeconds, rpoSeconds } = timesOf(after);
    restoreDrillSucceeded(ctx.correlationId, { rtoSeconds, rpoSeconds });
  }
}

/** A failed proof does not hide the others; after any other failure only the cleaning is left, if there was a copy. */
function nextStep(step: Step, finding: DrillFinding | undefined): string | undefined {
  const isFatal = finding?.passed === false && !isProof(step.part);
  if (isFatal && step === planning) return undefined;
  if (isFatal && step.name !== "clean_up") return "clean_up";
  return steps[steps.indexOf(step) + 1]?.name;
}

const isProof = (part: DrillPart) => proofs.some((proof) => proof === part);

function isProven(findings: DrillFinding[]): boolean {
  return proofs.every((proof) => findings.some(({ part, passed }) => part === proof && passed));
}

function log({ correlationId }: Context, { part, detail }: DrillFinding): void {
  restoreDrillFailed(correlationId, { operation: part, reason: detail });
}

/** A failure fires its alert at once; the end of the drill resolves the alerts of the parts that passed in it. */
function gaugesOf(drill: Drill, findings: DrillFinding[]): Map<string, number> {
  const gauges = new Map<string, number>();
  for (const part of drillParts) {
    const isBad = findings.some((finding) => finding.part === part && !finding.passed);
    if (isBad || (drill.finishedAt && hasPassed(drill, findings, part))) {
      gauges.set(seriesName("restore_drill_failed", { part }), isBad ? 1 : 0);
    }
  }
  if (drill.succeeded && drill.finishedAt) {
    const { rtoSeconds, rpoSeconds } = timesOf(drill);
    const endedAt = Math.floor(drill.finishedAt.getTime() / 1000);
    gauges.set(seriesName("backup_last_drill_success_timestamp_seconds"), endedAt);
    gauges.set(seriesName("backup_drill_rto_seconds"), rtoSeconds);
    gauges.set(seriesName("backup_drill_rpo_seconds"), rpoSeconds);
    gauges.set(seriesName("backup_unsafe", { check: "last_drill" }), 0);
  }
  return gauges;
}

/** The parts that are not proofs have a finding only when they fail. */
function hasPassed(drill: Drill, findings: DrillFinding[], part: DrillPart): boolean {
  const found = findings.find((finding) => finding.part === part);
  if (found || isProof(part)) return found?.passed === true;
  if (part === "clean_up") return drill.finishedAt !== null && drill.step === "clean_up";
  const hasWaited = findings.some((finding) => finding.part === "wait");
  return drill.copyId !== null || (part === "create" && hasWaited);
}

const timesOf = (drill: Drill) => ({
  rtoSeconds: rtoSecondsOf(drill) ?? 0,
  rpoSeconds: drill.rpoSeconds ?? 0,
});

/** For a drill that was requested where the store cannot be reached. The drill starts when the copy can be created. */
async function plan(ctx: Context, store: BackupStore): Promise<StepResult> {
  const targetAt = await store.chooseTarget();
  const expected = await readExpectations(ctx, targetAt);
  if (!expected) {
    if (!(await hasCanary(ctx))) await writeCanary(ctx);
    throw new BackupStoreError(
      `no canary is as old as the newest backup, of ${targetAt.toISOString()}: take a newer one in two minutes, \`npm run backup -- take\``,
    );
  }
  await writeCanary(ctx);
  return { isDone: true, set: { startedAt: ctx.now, targetAt, expected } };
}

/** Looks first: the reply of an earlier call may have been lost. */
async function create(_: Context, store: BackupStore, drill: Drill): Promise<StepResult> {
  const { copyName: name, targetAt: at, startedAt } = drill;
  const copies = await store.listCopies(name);
  if (copies.some((copy) => copy.name === name)) return { isDone: true };
  const expiresAt = new Date(startedAt.getTime() + copyLifeMs);
  return { isDone: true, set: await store.createCopy({ name, at, expiresAt }) };
}

/** The ID is only taken from the list, which also says the name and the parent of the copy. */
async function wait(_: Context, store: BackupStore, drill: Drill): Promise<StepResult> {
  const copies = await store.listCopies(drill.copyName);
  const copy = copies.find(({ name }) => name === drill.copyName);
  if (!copy) throw new BackupStoreError("the copy is not in the list of the backup store");
  if (await store.isReady(copy.id, drill.operations)) {
    return { isDone: true, set: { copyId: copy.id } };
  }
  throw new BackupStoreError("the copy is not ready yet");
}

/** Deletes the copy, and copies of earlier drills: they are recorded before, so that a crash does not hide them. */
async function cleanUp(ctx: Context, store: BackupStore, drill: Drill): Promise<StepResult> {
  const copies = await undeleted(store, drill);
  if (copies.length === 0 && !(await hasOwnCopy(store, drill))) return { isDone: true };
  const names = copies.map(({ name }) => name).filter((name) => !name.startsWith(drill.copyName));
  const found = names.filter((name) => !drill.leftovers.includes(name));
  if (found.length > 0) {
    drillLeftoversFound(ctx.correlationId, found.length);
    return { isDone: false, set: { leftovers: [...drill.leftovers, ...found] } };
  }
  const kept = new Map<string, string>();
  for (const { id } of copies) {
    try {
      await store.deleteCopy(id);
    } catch (error) {
      if (!(error instanceof CopyKeptError)) throw error;
      kept.set(id, error.message);
    }
  }
  const left = await undeleted(store, drill);
  const isOwnLeft = !kept.has(drill.copyId ?? "") && (await hasOwnCopy(store, drill));
  if (isOwnLeft || left.some(({ id }) => !kept.has(id))) {
    throw new BackupStoreError("a copy is not deleted yet");
  }
  if (kept.size === 0) return { isDone: true };
  const detail = [...kept.values()].join("; ");
  return { isDone: true, finding: { part: "clean_up", passed: false, detail } };
}

/** The list may leave it out, so that it is no proof of the deletion. */
async function hasOwnCopy(store: BackupStore, { copyId }: Drill): Promise<boolean> {
  return copyId !== null && (await store.hasCopy?.(copyId)) === true;
}

async function undeleted(store: BackupStore, drill: Drill) {
  const copies = await store.listCopies(copyPrefix);
  return copies.filter(
    ({ name, createdAt }) => name.startsWith(drill.copyName) || createdAt < drill.startedAt,
  );
}

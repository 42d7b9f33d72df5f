import { sql } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import {
  Deployment,
  type DeploymentLog,
  type DeploymentRow,
  readDeploymentLog,
  releaseName,
  shortSha,
} from "../deployments/deployment-log.js";
import { ownCrons } from "../deployments/own-crons.js";
import { isRecorded, ownDeploymentId } from "../deployments/own-deployment.js";
import { compareEnvironment } from "../deployments/release-environment.js";
import { AppError } from "../errors.js";
import { shellWord } from "./shell-word.js";
import { CheckReport, type CheckResult, summarize } from "./state/finding.js";

export const RollbackCheck = z
  .strictObject({
    ...CheckReport.shape,
    /** The live one; null when none is recorded. */
    from: Deployment.nullable(),
    /** Null when no earlier release is recorded. */
    to: Deployment.nullable(),
    /** Shell commands for the platform; empty when there is nothing to roll back to. */
    commands: z.array(z.string()),
    undo: z.array(z.string()),
  })
  .meta({ id: "RollbackCheck" });
export type RollbackCheck = z.infer<typeof RollbackCheck>;

const shaLengthMin = 7;
const namesMax = 4;

/** With an old value of these, the release cannot reach its data, or accepts and loses other people's sessions. */
const vital = new Set([
  ...["DATABASE_URL", "REDIS_URL", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"],
  ...["JWT_SECRET", "JWT_SECRET_PREVIOUS", "DATA_KEY", "DATA_KEY_PREVIOUS"],
]);

/**
 * Compare the live release with the one that a rollback would bring back: by default the one before it, else by ID or SHA.
 * Reads only. Throws `not_found` for an ID or SHA that is not in the newest part of the log.
 */
export async function checkRollback(ctx: Context, wanted?: string): Promise<RollbackCheck> {
  const log = await readDeploymentLog(ctx);
  const from = log.deployments.find(({ state }) => state === "live") ?? null;
  const to = wanted === undefined ? before(log, from) : find(log, wanted);
  const row = to && log.rows.get(to.id);
  if (!to || !row) {
    const detail = "no earlier release is recorded: give a deployment's ID or SHA";
    const none = { name: "release", status: "fail", detail } as const;
    return { ...summarize([none]), from, to: null, commands: [], undo: [] };
  }
  const findings = [
    releaseFinding(from, to),
    ...(from ? runningFindings(ctx, from) : []),
    await migrationFinding(ctx, log, { from, to, row }),
    environmentFinding(ctx, row),
    cronFinding(row),
  ];
  return {
    ...summarize(findings),
    from,
    to,
    commands: commandsTo(to, "rollback"),
    undo: from ? commandsTo(from, "promote") : [],
  };
}

/** The release that was live before, without those that were rolled back. */
function before({ deployments, switches }: DeploymentLog, from: Deployment | null) {
  const last = switches.findLast((each) => {
    const candidate = deployments.find(({ id }) => id === each.to);
    return candidate && candidate.id !== from?.id && candidate.state !== "rolled_back";
  });
  return deployments.find(({ id }) => id === last?.to) ?? null;
}

/** Of several deployments of a SHA, the newest. */
function find({ deployments }: DeploymentLog, wanted: string): Deployment {
  const isSha = wanted.length >= shaLengthMin;
  const found =
    deployments.find(({ id }) => id === wanted) ??
    deployments.find(({ sha }) => isSha && sha?.startsWith(wanted.toLowerCase()));
  if (!found) throw new AppError("not_found");
  return found;
}

function releaseFinding(from: Deployment | null, to: Deployment): CheckResult {
  const name = "release";
  const result = (status: CheckResult["status"], detail: string) => ({
    name,
    status,
    detail: `${releaseName(to)}: ${detail}`,
  });
  if (to.id === from?.id) return result("fail", "is live already");
  if (to.state === "failed" || to.state === "cancelled") return result("fail", to.state);
  if (to.liveAt === null) return result("fail", "has never been live");
  if (to.state === "rolled_back") {
    return result("warn", `was itself rolled back at ${to.endedAt}`);
  }
  if (to.platform === "self-hosted" && to.sha?.endsWith("-dirty")) {
    return result("warn", "was built with uncommitted changes, so no image has its tag");
  }
  return result("pass", `was live from ${to.liveAt} to ${to.endedAt ?? "now"}`);
}

/** After a switch that is not recorded yet, `from` is the release before it. */
function runningFindings({ env }: Context, from: Deployment): CheckResult[] {
  if (!isRecorded(env) || from.id === ownDeploymentId(env)) return [];
  const detail = `${releaseName(from)} is recorded as live, but this process is ${shortSha(env.release.sha)}: a switch is recorded within 10 minutes, then check again`;
  return [{ name: "running", status: "warn", detail }];
}

/** A release works with the schema of the next one; a later one may have removed what it needs. Which release a migration came with is not recorded. */
async function migrationFinding(
  { db }: Context,
  { switches }: DeploymentLog,
  { from, to, row }: { from: Deployment | null; to: Deployment; row: DeploymentRow },
): Promise<CheckResult> {
  const name = "migrations";
  const { migrationHead } = row;
  if (migrationHead === null) return unknown(name);
  const { rows } = await db.execute<{ name: string }>(
    sql`select name from schema_migrations order by name collate "C"`,
  );
  const applied = rows.map((each) => each.name);
  const since = applied.filter((each) => each > migrationHead);
  if (!applied.includes(migrationHead)) {
    const detail = `the database lacks ${migrationHead}, which that release needs`;
    return { name, status: "fail", detail };
  }
  if (since.length === 0) return { name, status: "pass", detail: `none since ${migrationHead}` };
  const left = switches.findLastIndex(({ from: replaced }) => replaced === to.id);
  const isNext = from !== null && switches[left]?.to === from.id;
  const listed = `since then: ${namesOf(since)}`;
  if (!isNext) {
    const problem = "Other releases were live in between: they may have removed what it needs";
    return { name, status: "fail", detail: `${listed}. ${problem}` };
  }
  return since.length === 1
    ? { name, status: "pass", detail: `${listed}. A release works with the schema of the next one` }
    : {
        name,
        status: "warn",
        detail: `${listed}. A release works with the schema of the next one: if they came with several releases, they may have removed what it needs`,
      };
}

function environmentFinding(
  { env }: Context,
  { environment, platform }: DeploymentRow,
): CheckResult {
  const name = "environment";
  if (platform === "self-hosted") {
    return { name, status: "pass", detail: "an older image reads the present variables" };
  }
  if (environment === null) return unknown(name);
  const { added, removed, changed, unknown: unclear } = compareEnvironment(env, environment);
  const differing = [...changed, ...unclear, ...added, ...removed];
  if (differing.length === 0) return { name, status: "pass", detail: "no variable changed" };
  const parts = [
    ...(changed.length > 0 ? [`changed ${namesOf(changed)}`] : []),
    ...(unclear.length > 0 ? [`hashed under another data key ${namesOf(unclear)}`] : []),
    ...(added.length > 0 ? [`new ${namesOf(added)}`] : []),
    ...(removed.length > 0 ? [`removed ${namesOf(removed)}`] : []),
  ];
  const status = differing.some((each) => vital.has(each)) ? "fail" : "warn";
  return { name, status, detail: `old values come back: ${parts.join("; ")}` };
}

function cronFinding({ crons }: DeploymentRow): CheckResult {
  const name = "crons";
  if (crons === null) return unknown(name);
  const differing = [...new Set([...Object.keys(crons), ...Object.keys(ownCrons)])]
    .filter((path) => crons[path] !== ownCrons[path])
    .map((path) => `${path} ${ownCrons[path] ?? "none"} becomes ${crons[path] ?? "none"}`);
  return differing.length === 0
    ? { name, status: "pass", detail: "the same schedules" }
    : { name, status: "warn", detail: `old schedules come back: ${differing.join("; ")}` };
}

const unknown = (name: string): CheckResult => ({
  name,
  status: "warn",
  detail: "unknown: that release has not served a request since this is recorded",
});

function namesOf(names: readonly string[]): string {
  const more = names.length - namesMax;
  return names.slice(0, namesMax).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function commandsTo(
  { platform, id, url, sha }: Deployment,
  verb: "rollback" | "promote",
): string[] {
  if (platform === "vercel") return [`vercel ${verb} ${shellWord(url ?? id)}`];
  if (platform === "railway") {
    // Its dashboard can do it for any deployment, its CLI not in every version.
    const where = `the dashboard: Deployments, menu of ${shortSha(sha ?? id)}`;
    return verb === "rollback"
      ? [`railway rollback  # or ${where}, Rollback`]
      : [`railway redeploy  # or ${where}, Redeploy`];
  }
  const tag = shellWord(`sha-${shortSha(sha ?? "")}`);
  return [
    `docker pull "\${REGISTRY:-docker.io}/linguamate/backend:${tag}"`,
    `TAG=${tag} docker-compose up -d`,
    "# Without containers, then start the server again:",
    `#   git checkout ${shellWord(shortSha(sha ?? ""))} && npm ci && npm run backend:build`,
  ];
}

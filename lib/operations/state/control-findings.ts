import type { OperatorAccount } from "../../auth/operator/role.js";
import { checkAgeHoursMax, drillAgeDaysMax, neverChecked } from "../../backups/check.js";
import { backupChecks } from "../../backups/check-names.js";
import { isBackupProcessElsewhere } from "../../backups/configured-store.js";
import type { Drills } from "../../backups/drill-history.js";
import { measuredFact } from "../../backups/measured.js";
import type { Context } from "../../context.js";
import { keyId } from "../../crypto/secret.js";
import { type Deployment, releaseName } from "../../deployments/deployment-log.js";
import { seriesName } from "../../observability/metrics.js";
import type { RetentionClasses } from "../retention/state.js";
import type { ControlFacts } from "./control-facts.js";
import { type CheckResult, finding } from "./finding.js";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const listedDeploymentsMax = 5;

/** How long SOC 2 and the audit want these kept, in days. Null: no minimum. */
const daysMin = { access_log: 365, audit_log: 90, security_events: null } as const;

/** One line for each class that has a rule, and one for the rest. */
export function retentionFindings({ classes }: RetentionClasses): CheckResult[] {
  const ruled = Object.entries(daysMin).map(([name, min]) => {
    const hours = classes.find((each) => each.name === name)?.keptHours ?? 0;
    const isKept = hours > 0 && hours >= 24 * (min ?? 0);
    const rule = min === null ? "" : `; at least ${min} days are required`;
    return finding(`${name} is kept`, isKept, `${ageText(hours)}${rule}`);
  });
  const others = classes.filter(({ name }) => !Object.hasOwn(daysMin, name));
  const listed = others.map(({ name, keptHours }) => `${name} ${ageText(keptHours)}`);
  return [...ruled, finding("other classes are kept", true, listed.join(", "))];
}

const ageText = (hours: number) => (hours % 24 === 0 ? `${hours / 24} days` : `${hours} h`);

/** A day without a partition has no log. Days are missing when the log is younger than itself and its age. */
export function accessLogFinding({ accessLog }: ControlFacts, keptDays: number): CheckResult {
  const { first, days, today, existsSince } = accessLog;
  if (!first) return finding("access log", false, "no day is present");
  const span = (Date.parse(today) - Date.parse(first)) / dayMs + 1;
  const oldestKept = isoDay(Date.parse(today) - (Math.min(keptDays, 365) - 1) * dayMs);
  const due = existsSince && existsSince > oldestKept ? existsSince : oldestKept;
  const isWhole = existsSince === null || first <= due;
  const since = existsSince ? `, the log exists since ${existsSince}` : "";
  const missing = [
    ...(span > days ? [`${span - days} days between are missing`] : []),
    ...(isWhole ? [] : [`the days from ${due} to ${first} are missing`]),
  ];
  const present = `oldest day ${first}, ${days} days to today${since}`;
  return finding("access log", missing.length === 0, [present, ...missing].join("; "));
}

const isoDay = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** In development nothing has to be backed up. */
export function backupFindings(ctx: Context, { backups }: ControlFacts): CheckResult[] {
  const { checkedAt, measured } = backups;
  const { production } = ctx.env;
  if (checkedAt === null) {
    const detail = isBackupProcessElsewhere(ctx)
      ? neverChecked
      : "never checked by this server: `ops backup check` checks the backups";
    return [finding("last backup check", false, detail, production ? "fail" : "warn")];
  }
  const hours = Math.floor((ctx.now.getTime() - Date.parse(checkedAt)) / hourMs);
  const results = backupChecks.flatMap((check) => {
    const value = measured[seriesName("backup_unsafe", { check })];
    if (value === undefined) return [];
    const how = value === 0 ? "passed" : "FAILED";
    const fact = measuredFact(check, (series) => measured[series]);
    // A drill that succeeds sets its result itself.
    const at = check === "last_drill" && fact ? "" : ` at ${checkedAt}`;
    return [finding(`backup: ${check}`, value === 0, `${how}${at}${fact ? `: ${fact}` : ""}`)];
  });
  const none =
    results.length > 0
      ? []
      : [finding("backup checks", false, "none: no backup store is configured", "warn")];
  const age = `at ${checkedAt}, ${hours} h ago; at most ${checkAgeHoursMax}`;
  const last = finding("last backup check", hours <= checkAgeHoursMax, age);
  return [last, ...results, ...none];
}

export function drillFinding(ctx: Context, { drills }: Drills): CheckResult {
  const last = drills.find(({ state }) => state !== "running");
  const name = "last restore drill";
  if (!last) {
    const detail = "none has finished: `ops drill run` starts one";
    return finding(name, false, detail, ctx.env.production ? "fail" : "warn");
  }
  const { state, startedAt, finishedAt, targetAt, rtoSeconds, rpoSeconds } = last;
  const ageMs = ctx.now.getTime() - Date.parse(finishedAt ?? startedAt);
  const isGood = state === "succeeded" && ageMs <= drillAgeDaysMax * dayMs;
  const detail = [
    `${state} at ${finishedAt ?? startedAt}, restored ${targetAt}`,
    `RTO ${rtoSeconds ?? "unknown"} s, RPO ${rpoSeconds ?? "unknown"} s`,
    `at most ${drillAgeDaysMax} days old`,
  ];
  return finding(name, isGood, detail.join("; "));
}

export function deploymentFindings(deployments: readonly Deployment[]): CheckResult[] {
  const live = deployments.find(({ state }) => state === "live");
  const detail = live
    ? `${releaseName(live)} on ${live.platform}, live since ${live.liveAt}`
    : "no deployment is recorded as live";
  const listed = deployments
    .slice(0, listedDeploymentsMax)
    .map((each) =>
      `${releaseName(each)} ${each.state} ${each.liveAt ?? each.requestedAt ?? ""}`.trim(),
    );
  const count = `${deployments.length} in the newest part of the log`;
  const newest = listed.length > 0 ? `; the newest: ${listed.join(", ")}` : "";
  return [
    finding("live release", live !== undefined, detail, "warn"),
    finding("deployments logged", deployments.length > 0, count + newest, "warn"),
  ];
}

/** Counts only. */
export function operatorFindings(
  { env }: Context,
  operators: readonly OperatorAccount[],
  { operatorTokens }: ControlFacts,
): CheckResult[] {
  const active = operators.filter(({ suspended }) => !suspended);
  const secured = active.filter(({ secondFactor }) => secondFactor).length;
  const admins = active.filter(({ role }) => role === "admin").length;
  const detail = `${secured} of ${active.length} (${admins} admins); without one an operator has no rights`;
  const isSecured = active.length > 0 && secured === active.length;
  const breakGlass = env.ops.breakGlassToken
    ? "set; each use is audited and sends a page"
    : "not set";
  return [
    finding("operators with a second factor", isSecured, detail, "warn"),
    finding(
      "tokens of operators",
      true,
      `${operatorTokens} in force; break-glass token: ${breakGlass}`,
    ),
  ];
}

/** Nothing records when a secret was made; the seals show since when a data key is in use. */
export function keyFinding({ env }: Context, { dataKey }: ControlFacts): CheckResult {
  const [current = ""] = env.dataKeys;
  const isOwn = current !== env.jwt.secret;
  const { otherUntil, firstSealAt } = dataKey;
  const since = otherUntil
    ? `in use since the seals after ${otherUntil}`
    : firstSealAt
      ? `in use since ${firstSealAt} (the first seal) or earlier`
      : "age unknown, nothing is sealed yet";
  const older = new Set(env.dataKeys.filter((key) => key !== current && key !== env.jwt.secret));
  const detail = isOwn
    ? `key ID ${keyId(current)}, ${since}; ${older.size} older accepted`
    : `DATA_KEY is not set: data depends on JWT_SECRET; ${since}`;
  return finding("data key", isOwn, `${detail}; the age of JWT_SECRET is not recorded`, "warn");
}

import type { Context } from "../context.js";
import { alertChanged } from "../observability/log-lines/alerts.js";
import { seriesName } from "../observability/metrics.js";
import { type AlertTransition, commitEvaluation, type EvaluationResult } from "./commit.js";
import {
  forgetOutage,
  type Outage,
  pageDatabaseDown,
  recallOutage,
  type Span,
} from "./database-down.js";
import { deliverNotices } from "./deliver-notices.js";
import { excuseCrons } from "./excused-crons.js";
import { labelsOf, type Measures, minuteMs, type Sample } from "./measures.js";
import { alertKey, alertNoticeOf, type QueuedAlertNotice } from "./notice.js";
import { runProbes } from "./probes.js";
import { type Readings, readMeasures } from "./read-measures.js";
import type { Channel, Rule } from "./rule.js";
import { type RuleName, rules, rulesByName } from "./rules.js";
import { type Alert, advanceAlert } from "./state-machine.js";
import { isCounterCondition, type Verdict, verdict } from "./verdict.js";

/** All 0 when a concurrent evaluation was first. `minutes` counts a minute twice: for counters and for gauges. */
export interface EvaluationCounts {
  minutes: number;
  transitions: number;
  notices: number;
}

/**
 * Evaluate every rule for the minutes not evaluated yet, at most the last 15. Queues the notices and sends them after the
 * reply. Safe to repeat, concurrently or late. When Postgres fails, calls `pageDatabaseDown` and rejects.
 */
export async function evaluateAlerts(ctx: Context): Promise<EvaluationCounts> {
  const probes = await runProbes(ctx);
  const readings = await orPage(ctx, () => readMeasures(ctx, probes));
  const outage = await recallOutage(readings.clock.sampledUntil, readings.due.sampled);
  const excused = addOutage(readings, outage);
  const result = { ...evaluate(ctx, readings, outage), excused };
  const { due } = readings;
  const minutes = due.counted.length + due.sampled.length;
  if (minutes === 0) return { minutes, transitions: 0, notices: 0 };
  const isFirst = await orPage(ctx, () => commitEvaluation(ctx, readings, result));
  if (!isFirst) return { minutes: 0, transitions: 0, notices: 0 };
  if (outage.minutes.length > 0) await forgetOutage();
  for (const { alert, from, to } of result.transitions) {
    const { rule, label, detail: reason } = alert;
    if (to === "firing") alertChanged(ctx.correlationId, { rule, label, state: to, reason });
    if (from === "firing") {
      alertChanged(ctx.correlationId, { rule, label, state: "resolved", reason });
    }
  }
  if (result.notices.length > 0) ctx.after(() => deliverNotices(ctx));
  return { minutes, transitions: result.transitions.length, notices: result.notices.length };
}

/** On any failure of Postgres (down, wrong password, disk full) alerts cannot be stored: page directly. */
async function orPage<Result>(ctx: Context, ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    await pageDatabaseDown(ctx, error);
    throw error;
  }
}

/** Minute by minute: first move every alert, then decide notices, because inhibition needs all states. */
function evaluate(
  ctx: Context,
  readings: Readings,
  outage: Outage,
): Omit<EvaluationResult, "excused"> {
  const { measures, due, silenced } = readings;
  const standing = new Map(readings.alerts.map((alert) => [alert.key, alert]));
  const touched = new Set<string>();
  const transitions: AlertTransition[] = [];
  const notices: QueuedAlertNotice[] = [];
  const counted = new Set(due.counted);
  const sampled = new Set(due.sampled);
  const minutes = [...new Set([...due.counted, ...due.sampled])].sort((one, other) => one - other);
  const outageKey = alertKey(ctx, "HealthCheckFailing", "postgres");
  const labels = new Map(rules.map((rule) => [rule.name, labelsIn(rule, measures, standing)]));
  for (const minute of minutes) {
    const steps: Step[] = [];
    for (const rule of rules as readonly Rule[]) {
      if (!(isCounterCondition(rule.condition) ? counted : sampled).has(minute)) continue;
      for (const label of labels.get(rule.name as never) ?? []) {
        const key = alertKey(ctx, rule.name, label);
        const before = standing.get(key);
        const result = verdict(rule.condition, label, minute, measures);
        const wasInactive = !before || before.state === "inactive";
        if (result.is === "unknown" || (result.is === "good" && !before)) continue;
        const { alert, transition } = advanceAlert(
          key === outageKey && isPaged(outage, minute) ? { ...rule, forMinutes: 0 } : rule,
          before ?? newAlert(key, rule.name, label, minute),
          minute,
          result,
        );
        if (!(wasInactive && alert.state === "inactive")) touched.add(key);
        if (transition) transitions.push({ ...transition, alert });
        standing.set(key, alert);
        steps.push({ rule, key, before, after: alert, result });
      }
    }
    // The end of an inhibition restarts the windows of the alerts that it held back.
    for (const { before, after: inhibitor } of steps) {
      if (before?.state !== "firing" || inhibitor.state === "firing") continue;
      for (const alert of standing.values()) {
        if (alert.notifiedAs !== null || !inhibits(inhibitor, alert)) continue;
        standing.set(alert.key, { ...alert, badMinutes: 0 });
        if (alert.state !== "inactive") touched.add(alert.key);
      }
    }
    for (const { rule, before, key, result } of steps) {
      const after = standing.get(key) as Alert;
      const isMuted = silenced.has(rule.name) || isInhibited(after, standing);
      const wasPaged = key === outageKey && isPaged(outage, minute);
      const { notifiedAs, notice } = decideNotice(rule, {
        before,
        after,
        result,
        minute,
        isMuted,
        wasPaged,
      });
      standing.set(key, { ...after, notifiedAs });
      if (notice) notices.push(notice);
    }
  }
  const changed = [...touched].flatMap((key) => standing.get(key) ?? []);
  return { changed, all: [...standing.values()], transitions, notices };
}

interface Step {
  rule: Rule;
  key: string;
  before: Alert | undefined;
  after: Alert;
  result: Verdict;
}

interface AlertStep extends Pick<Step, "before" | "after" | "result"> {
  minute: number;
  /** Silenced or inhibited. The notice follows when this ends, if the condition then still holds for its window. */
  isMuted: boolean;
  wasPaged: boolean;
}

/** The notice to send, if any. An alert that was notified is always resolved, even when muted; another one never is. */
function decideNotice(
  rule: Rule,
  { before, after, result, minute, isMuted, wasPaged }: AlertStep,
): { notifiedAs: Alert["notifiedAs"]; notice: QueuedAlertNotice | null } {
  const { key, label, detail, notifiedAs } = after;
  const of = { key, label, detail, minute };
  if (after.state !== "firing") {
    const isOver = before?.state === "firing" && notifiedAs !== null;
    return {
      notifiedAs: null,
      notice: isOver ? alertNoticeOf(rule, { event: "resolve", ...notifiedAs, ...of }) : null,
    };
  }
  const urgency = urgencyOf(rule, label, result);
  if (wasPaged && notifiedAs === null) return { notifiedAs: urgency, notice: null };
  const isNew =
    notifiedAs === null
      ? after.badMinutes > rule.forMinutes
      : result.is === "bad" && urgency.priority < notifiedAs.priority;
  if (!isNew || isMuted) return { notifiedAs, notice: null };
  return {
    notifiedAs: urgency,
    notice: alertNoticeOf(rule, { event: "trigger", ...urgency, ...of }),
  };
}

function urgencyOf(rule: Rule, label: string, { times = 0 }: Verdict) {
  const { escalates } = rule;
  const { priority, channel } = escalates && times >= escalates.times ? escalates : rule;
  return { priority, channel: channel === "other" ? fallbackOf(label) : channel };
}

/** Non-urgent notices must not page anyone, even when their own channel fails. */
const fallbackOf = (channel: string): Channel => (channel === "team" ? "page" : "team");

function isInhibited(alert: Alert, standing: ReadonlyMap<string, Alert>): boolean {
  return inhibitorsOf(alert, standing.values()).length > 0;
}

type Named = Pick<Alert, "rule" | "label">;

/** The firing alerts that hold back the notice of this one. */
export function inhibitorsOf<A extends Pick<Alert, "rule" | "label" | "state">>(
  alert: Named,
  standing: Iterable<A>,
): A[] {
  return [...standing].filter((other) => other.state === "firing" && inhibits(other, alert));
}

function inhibits(inhibitor: Named, { rule, label }: Named): boolean {
  const { inhibitedBy }: Partial<Rule> = rulesByName[rule as RuleName] ?? {};
  const isSameLabel = inhibitor.label === label || inhibitor.label === "" || label === "";
  return isSameLabel && (inhibitedBy?.includes(inhibitor.rule) ?? false);
}

/** Those of `labelsOf`, and those of the rule's alerts. */
export function labelsIn(rule: Rule, measures: Measures, standing: ReadonlyMap<string, Alert>) {
  const labels = labelsOf(rule, measures);
  for (const alert of standing.values()) if (alert.rule === rule.name) labels.add(alert.label);
  return labels;
}

function newAlert(key: string, rule: string, label: string, minute: number): Alert {
  return {
    key,
    rule,
    label,
    state: "inactive",
    badMinutes: 0,
    goodMinutes: 0,
    knownMinute: minute,
    since: minute,
    notifiedAs: null,
    detail: "",
  };
}

function addOutage(readings: Readings, outage: Outage): Sample[] {
  const { measures, now } = readings;
  const excused = excuseCrons(now.samples, [...outage.spans, ...minuteWithoutRedis(readings)]);
  for (const minute of outage.minutes) {
    measures.samples.set(minute, [...(measures.samples.get(minute) ?? []), ...outage.samples]);
  }
  return excused;
}

/** The current minute, if Redis is down and the minute is not evaluated yet: no job that needs Redis can succeed. */
function minuteWithoutRedis({ now: { minute, samples }, due }: Readings): Span[] {
  const probe = seriesName("probe_failed", { probe: "redis" });
  const isDown = samples.some(({ series, value }) => series === probe && value > 0);
  return isDown && due.sampled.includes(minute) ? [{ from: minute, until: minute + minuteMs }] : [];
}

/** A paged minute fires the alert at once, so that it can be resolved. */
function isPaged({ minutes, pagedFrom }: Outage, minute: number): boolean {
  return pagedFrom !== null && minute >= pagedFrom && minutes.includes(minute);
}

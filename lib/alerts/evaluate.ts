import type { Context } from "../context.js";
import { alertChanged } from "../observability/log-lines/alerts.js";
import { type Changed, commitEvaluation, type Found } from "./commit.js";
import { forgetOutage, type Outage, pageDatabaseDown, recallOutage } from "./database-down.js";
import { deliverNotices } from "./deliver-notices.js";
import { labelsOf, type Measures } from "./measures.js";
import { alertKey, alertNoticeOf, type QueuedAlertNotice } from "./notice.js";
import { probe } from "./probes.js";
import { type Readings, readMeasures } from "./read-measures.js";
import type { Channel, Rule } from "./rule.js";
import { rules } from "./rules.js";
import { type Alert, step } from "./state-machine.js";
import { isCounted, type Verdict, verdict } from "./verdict.js";

/** What an evaluation changed; nothing where another one was first. */
export interface Evaluated {
  minutes: number;
  transitions: number;
  notices: number;
}

/**
 * Evaluate every rule in each minute that was not evaluated yet, and tell whoever is to be told. Twice,
 * at once or late it changes nothing more: one statement moves the clock and all that follows from it.
 * Where Postgres does not serve it, it pages past it, and rejects.
 */
export async function evaluateAlerts(ctx: Context): Promise<Evaluated> {
  const probes = await probe(ctx);
  const readings = await orPage(ctx, () => readMeasures(ctx, probes));
  const outage = await recallOutage(readings.clock.sampledUntil, readings.due.sampled);
  addOutage(readings, outage);
  const found = evaluate(ctx, readings, outage);
  const { due } = readings;
  const minutes = due.counted.length + due.sampled.length;
  if (minutes === 0) return { minutes, transitions: 0, notices: 0 };
  const isFirst = await orPage(ctx, () => commitEvaluation(ctx, readings, found));
  if (!isFirst) return { minutes: 0, transitions: 0, notices: 0 };
  if (outage.minutes.length > 0) await forgetOutage();
  for (const { alert, from, to } of found.transitions) {
    const { rule, label, detail: reason } = alert;
    if (to === "firing") alertChanged(ctx.correlationId, { rule, label, state: to, reason });
    if (from === "firing") {
      alertChanged(ctx.correlationId, { rule, label, state: "resolved", reason });
    }
  }
  if (found.notices.length > 0) ctx.after(() => deliverNotices(ctx));
  return { minutes, transitions: found.transitions.length, notices: found.notices.length };
}

/** Away, a password that was changed, a full disk: whatever it is, no alert can be told through Postgres. */
async function orPage<Result>(ctx: Context, ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    await pageDatabaseDown(ctx, error);
    throw error;
  }
}

/** Walk through the minutes in their order: first every alert moves, then it is told what is to be. */
function evaluate(ctx: Context, readings: Readings, outage: Outage): Found {
  const { measures, due, silenced } = readings;
  const standing = new Map(readings.alerts.map((alert) => [alert.key, alert]));
  const touched = new Set<string>();
  const transitions: Changed[] = [];
  const notices: QueuedAlertNotice[] = [];
  const counted = new Set(due.counted);
  const sampled = new Set(due.sampled);
  const minutes = [...new Set([...due.counted, ...due.sampled])].sort((one, other) => one - other);
  const outageKey = alertKey(ctx, "HealthCheckFailing", "postgres");
  const labels = new Map(rules.map((rule) => [rule.name, labelsIn(rule, measures, standing)]));
  for (const minute of minutes) {
    const moved: { rule: Rule; before: Alert | undefined; after: Alert; found: Verdict }[] = [];
    for (const rule of rules as readonly Rule[]) {
      if (!(isCounted(rule.condition) ? counted : sampled).has(minute)) continue;
      for (const label of labels.get(rule.name as never) ?? []) {
        const key = alertKey(ctx, rule.name, label);
        const before = standing.get(key);
        const found = verdict(rule.condition, label, minute, measures);
        const calm = !before || before.state === "inactive";
        if (found.is === "unknown" || (found.is === "good" && !before)) continue;
        const { alert, transition } = step(
          key === outageKey && isPaged(outage, minute) ? { ...rule, forMinutes: 0 } : rule,
          before ?? newAlert(key, rule.name, label, minute),
          minute,
          found,
        );
        if (!(calm && alert.state === "inactive")) touched.add(key);
        if (transition) transitions.push({ ...transition, alert });
        standing.set(key, alert);
        moved.push({ rule, before, after: alert, found });
      }
    }
    for (const { rule, before, after, found } of moved) {
      const isMuted = silenced.has(rule.name) || isInhibited(rule, after, standing);
      const wasTold = after.key === outageKey && isPaged(outage, minute);
      const { told, notice } = tell(rule, { before, after, found, minute, isMuted, wasTold });
      standing.set(after.key, { ...after, told });
      if (notice) notices.push(notice);
    }
  }
  const changed = [...touched].flatMap((key) => standing.get(key) ?? []);
  return { alerts: changed, active: [...standing.values()], transitions, notices };
}

interface Move {
  before: Alert | undefined;
  after: Alert;
  found: Verdict;
  minute: number;
  /** Nobody is to be told now: it waits until it may be told, if it still fires then. */
  isMuted: boolean;
  /** The page of a database that is down went past it. */
  wasTold: boolean;
}

/** Who is to be told of it now. What was told is taken back when it ends, muted or not. */
function tell(
  rule: Rule,
  { before, after, found, minute, isMuted, wasTold }: Move,
): { told: Alert["told"]; notice: QueuedAlertNotice | null } {
  const { key, label, detail, told } = after;
  const of = { key, label, detail, minute };
  if (after.state !== "firing") {
    const isOver = before?.state === "firing" && told !== null;
    return {
      told: null,
      notice: isOver ? alertNoticeOf(rule, { event: "resolve", ...told, ...of }) : null,
    };
  }
  const urgency = urgencyOf(rule, label, found);
  if (wasTold && told === null) return { told: urgency, notice: null };
  const isNews = told === null || (found.is === "bad" && urgency.priority < told.priority);
  if (!isNews || isMuted) return { told, notice: null };
  return { told: urgency, notice: alertNoticeOf(rule, { event: "trigger", ...urgency, ...of }) };
}

function urgencyOf(rule: Rule, label: string, { times = 0 }: Verdict) {
  const { escalates } = rule;
  const { priority, channel } = escalates && times >= escalates.times ? escalates : rule;
  return { priority, channel: channel === "other" ? otherThan(label) : channel };
}

/** What can wait wakes nobody, even when its way is blocked. */
const otherThan = (channel: string): Channel => (channel === "team" ? "page" : "team");

function isInhibited(
  { inhibitedBy = [] }: Rule,
  alert: Alert,
  standing: ReadonlyMap<string, Alert>,
): boolean {
  return [...standing.values()].some(
    ({ rule, label, state }) =>
      state === "firing" &&
      inhibitedBy.includes(rule) &&
      (label === alert.label || label === "" || alert.label === ""),
  );
}

/** What there is to evaluate of a rule: what was measured, and alerts that stand. */
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
    told: null,
    detail: "",
  };
}

/** Postgres could not write then that it was away: the minutes are known now. */
function addOutage({ measures }: Readings, outage: Outage): void {
  for (const minute of outage.minutes) {
    measures.samples.set(minute, [...(measures.samples.get(minute) ?? []), ...outage.samples]);
  }
}

/** Somebody was told of this minute past the database: the alert fires, however short it was. */
function isPaged({ minutes, pagedFrom }: Outage, minute: number): boolean {
  return pagedFrom !== null && minute >= pagedFrom && minutes.includes(minute);
}

import type { Channel, Priority, Rule } from "./rule.js";
import type { Verdict } from "./verdict.js";

export type State = "inactive" | "pending" | "firing";

/** Minutes are in ms. */
export interface Alert {
  key: string;
  rule: string;
  label: string;
  state: State;
  badMinutes: number;
  goodMinutes: number;
  knownMinute: number;
  since: number;
  notifiedAs: { priority: Priority; channel: Channel } | null;
  detail: string;
}

export interface Transition {
  minute: number;
  from: State;
  to: State;
}

/** A pending alert starts again when there was no data for this long. */
const pendingMsMax = 15 * 60_000;

/** The alert after one more minute, in ascending order. An unknown minute changes nothing: it neither raises nor resolves an alert. */
export function advanceAlert(
  { forMinutes, resolveMinutes }: Pick<Rule, "forMinutes" | "resolveMinutes">,
  alert: Alert,
  minute: number,
  { is, detail }: Verdict,
): { alert: Alert; transition: Transition | null } {
  if (is === "unknown") return { alert, transition: null };
  const isStale = alert.state === "pending" && minute - alert.knownMinute > pendingMsMax;
  const bad = is === "bad" ? (isStale ? 0 : alert.badMinutes) + 1 : 0;
  const good = is === "good" ? alert.goodMinutes + 1 : 0;
  const to = next(alert.state, { bad, good, forMinutes, resolveMinutes });
  const isChange = to !== alert.state;
  return {
    alert: {
      ...alert,
      state: to,
      badMinutes: bad,
      goodMinutes: good,
      knownMinute: minute,
      since: isChange ? minute : alert.since,
      detail,
    },
    transition: isChange ? { minute, from: alert.state, to } : null,
  };
}

interface Run {
  bad: number;
  good: number;
  forMinutes: number;
  resolveMinutes: number;
}

/** A duration of n minutes spans n + 1 minutes. */
function next(state: State, { bad, good, forMinutes, resolveMinutes }: Run): State {
  if (bad > 0) return state === "firing" || bad > forMinutes ? "firing" : "pending";
  return state === "firing" && good <= resolveMinutes ? "firing" : "inactive";
}

import type { Channel, Priority, Rule } from "./rule.js";
import type { Verdict } from "./verdict.js";

export type State = "inactive" | "pending" | "firing";

/** How one alert stands. Minutes are in ms. */
export interface Alert {
  key: string;
  rule: string;
  label: string;
  state: State;
  badMinutes: number;
  goodMinutes: number;
  knownMinute: number;
  since: number;
  told: { priority: Priority; channel: Channel } | null;
  detail: string;
}

export interface Transition {
  minute: number;
  from: State;
  to: State;
}

/** So long after the last thing that was known, what was about to fire has to begin anew. */
const pendingMsMax = 15 * 60_000;

/**
 * The alert after one more minute, and the change of state that this makes. What is not known changes
 * nothing: a missing minute neither proves an alert nor ends it. Minutes have to come in their order.
 */
export function step(
  { forMinutes, resolveMinutes }: Pick<Rule, "forMinutes" | "resolveMinutes">,
  alert: Alert,
  minute: number,
  { is, detail }: Verdict,
): { alert: Alert; transition: Transition | null } {
  if (is === "unknown") return { alert, transition: null };
  const isForgotten = alert.state === "pending" && minute - alert.knownMinute > pendingMsMax;
  const bad = is === "bad" ? (isForgotten ? 0 : alert.badMinutes) + 1 : 0;
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

/** A duration of n minutes lies between n + 1 of them. */
function next(state: State, { bad, good, forMinutes, resolveMinutes }: Run): State {
  if (bad > 0) return state === "firing" || bad > forMinutes ? "firing" : "pending";
  return state === "firing" && good <= resolveMinutes ? "firing" : "inactive";
}

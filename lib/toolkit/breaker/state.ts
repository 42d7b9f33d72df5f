/** How the breaker is set: by its own counts, or by an operator until they let go of it. */
export type BreakerMode = "closed" | "open" | "forced_open" | "forced_closed";

export interface BreakerState {
  mode: BreakerMode;
  /** Grows with every change, so that what belongs to the state before is known as such. */
  generation: number;
  /** Of an open one: when a probe may be sent, in ms. */
  untilMs: number;
}

/** When the breaker opens, and for how long. */
export const thresholds = {
  /** Failures count for this long. */
  windowMs: 60_000,
  /** At fewer calls nothing is decided. */
  callsMin: 5,
  failuresPercent: 50,
  /** The first opening lasts this long or up to half as long again; each further one twice that. */
  openMs: 5_000,
  openMsMax: 120_000,
} as const;

/** Read the field of the gate: `mode:generation:until`. Without one it is closed and always was. */
export function breakerState(field: string | null): BreakerState {
  const [, mode = "closed", generation = 0, untilMs = 0] =
    /^(closed|open|forced_open|forced_closed):(\d+):(\d+)$/.exec(field ?? "") ?? [];
  return { mode: mode as BreakerMode, generation: Number(generation), untilMs: Number(untilMs) };
}

export type BreakerPosition = "closed" | "half_open" | "open";

/** What the breaker is at a moment: an open one whose time is over lets probes through. */
export function positionOf({ mode, untilMs }: BreakerState, nowMs: number): BreakerPosition {
  if (mode === "closed" || mode === "forced_closed") return "closed";
  return mode === "open" && untilMs <= nowMs ? "half_open" : "open";
}

/** As the metric `circuit_breaker_state` tells it. */
export const positionGauge = { closed: 0, half_open: 1, open: 2 } as const;

/** How long the `times`th opening in a row lasts, from a random number of [0, 1). */
export function openMsFor(times: number, random: number): number {
  const doubled = Math.min(thresholds.openMs * 2 ** (times - 1), thresholds.openMsMax);
  return Math.round(doubled * (1 + random / 2));
}

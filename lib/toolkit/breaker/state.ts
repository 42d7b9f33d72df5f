/** `forced_*`: set by an operator until they set it to automatic. */
export type BreakerMode = "closed" | "open" | "forced_open" | "forced_closed";

export interface BreakerState {
  mode: BreakerMode;
  /** Incremented by every change, to detect stale reports. */
  generation: number;
  untilMs: number;
}

export const thresholds = {
  windowMs: 60_000,
  callsMin: 5,
  failuresPercent: 50,
  /** Up to 50 % longer at random; doubled for each further opening. */
  openMs: 5_000,
  openMsMax: 120_000,
} as const;

/** Parses `mode:generation:until`; default: closed. */
export function breakerState(field: string | null): BreakerState {
  const [, mode = "closed", generation = 0, untilMs = 0] =
    /^(closed|open|forced_open|forced_closed):(\d+):(\d+)$/.exec(field ?? "") ?? [];
  return { mode: mode as BreakerMode, generation: Number(generation), untilMs: Number(untilMs) };
}

export type BreakerPosition = "closed" | "half_open" | "open";

/** An open breaker whose time is over is half-open. */
export function positionOf({ mode, untilMs }: BreakerState, nowMs: number): BreakerPosition {
  if (mode === "closed" || mode === "forced_closed") return "closed";
  return mode === "open" && untilMs <= nowMs ? "half_open" : "open";
}

/** Values of `circuit_breaker_state`. */
export const positionGauge = { closed: 0, half_open: 1, open: 2 } as const;

/** `random` is in [0, 1). */
export function openMsFor(times: number, random: number): number {
  const doubled = Math.min(thresholds.openMs * 2 ** (times - 1), thresholds.openMsMax);
  return Math.round(doubled * (1 + random / 2));
}

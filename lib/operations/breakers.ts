import * as z from "zod";
import { auditRow } from "../audit/audit.js";
import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { recordBreakerGauge } from "../toolkit/breaker/gauge.js";
import { readBreaker, setBreaker } from "../toolkit/breaker/shared-breaker.js";
import { type BreakerMode, breakerState, positionOf } from "../toolkit/breaker/state.js";
import type { Act, ChangeOutcome } from "./act.js";
import { orRedisUnavailable } from "./or-redis-unavailable.js";

export const breakerServices = ["toolkit"] as const;

const Breaker = z.strictObject({
  service: z.enum(breakerServices),
  state: z.enum(["closed", "half_open", "open"]),
  /** `auto`: the breaker opens and closes by itself. */
  setTo: z.enum(["auto", "open", "closed"]),
  /** When it becomes half-open; null unless it opened by itself. */
  opensUntil: z.iso.datetime().nullable(),
  openingsInARow: z.number().int(),
  failuresInWindow: z.number().int(),
});

export const Breakers = z.strictObject({ items: z.array(Breaker) });

export const BreakerSetting = z.enum(["open", "closed", "auto"]);
export type BreakerSetting = z.infer<typeof BreakerSetting>;

/** The state of every breaker. Throws `redis_unavailable` when Redis does not answer. */
export async function listBreakers(): Promise<z.infer<typeof Breakers>> {
  const { field, openings, failures } = await orRedisUnavailable(readBreaker());
  const state = breakerState(field);
  const until = state.mode === "open" ? new Date(state.untilMs).toISOString() : null;
  return {
    items: [
      {
        service: "toolkit",
        state: positionOf(state, Date.now()),
        setTo: settingOf(state.mode),
        opensUntil: until,
        openingsInARow: openings,
        failuresInWindow: failures,
      },
    ],
  };
}

interface BreakerChange extends Act {
  service: string;
  setting: BreakerSetting;
}

/**
 * Force a breaker open or closed, or return it to automatic. The audit row is written first, because Redis cannot
 * commit together with it. Throws `not_found` and `redis_unavailable`.
 */
export async function changeBreaker(
  ctx: Context,
  { service, setting, dryRun, by }: BreakerChange,
): Promise<ChangeOutcome> {
  const known = breakerServices.find((name) => name === service);
  if (!known) throw new AppError("not_found");
  const before = settingOf(breakerState((await orRedisUnavailable(readBreaker())).field).mode);
  if (!dryRun) {
    await auditRow(ctx, { ...by, action: "breaker.set", subjectId: `breaker:${known}:${setting}` });
    await orRedisUnavailable(setBreaker(modes[setting]));
    ctx.after(() => recordBreakerGauge(ctx));
  }
  if (before === setting)
    return { done: `The breaker of ${known} is already set to ${setting}.`, undo: null };
  const verb = dryRun ? "Would set" : "Set";
  const undo = `npm run ops -- breaker ${verbs[before]} ${known} --reason "undo"`;
  return { done: `${verb} the breaker of ${known} to ${setting} (before: ${before}).`, undo };
}

const modes = { open: "forced_open", closed: "forced_closed", auto: "closed" } as const;
const verbs = { open: "open", closed: "close", auto: "auto" } as const;

function settingOf(mode: BreakerMode): BreakerSetting {
  if (mode === "forced_open") return "open";
  return mode === "forced_closed" ? "closed" : "auto";
}

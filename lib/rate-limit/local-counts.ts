import { oncePer } from "../once-per.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import type { Count, Subject } from "./count.js";
import { applying, counterKey, windowCount, windowOf } from "./limiter.js";
import type { Limit } from "./policies.js";

/** About 4 MB. */
const countersMax = 20_000;

/**
 * What this process has counted in the windows that have not ended. At the bound the counter that began
 * first gives way: an attacker with many addresses cannot make it grow, and its own counts are the newest.
 */
export class LocalCounts {
  readonly #counters = new Map<string, { used: number; endsAtMs: number }>();
  readonly #max: number;

  constructor(max = countersMax) {
    this.#max = max;
  }

  get size(): number {
    return this.#counters.size;
  }

  /** How often it was counted in its window, this time included. */
  count(key: string, endsAtMs: number, nowMs: number): number {
    const known = this.#counters.get(key);
    const counter = known && known.endsAtMs > nowMs ? known : this.#add(key, endsAtMs, nowMs);
    counter.used += 1;
    return counter.used;
  }

  /** As if it had not been counted. */
  uncount(key: string): void {
    const counter = this.#counters.get(key);
    if (counter && counter.used > 0) counter.used -= 1;
  }

  /** When the window of a counter ends that has been counted in; null without one. */
  endOf(key: string, nowMs: number): number | null {
    const endsAtMs = this.#counters.get(key)?.endsAtMs ?? 0;
    return endsAtMs > nowMs ? endsAtMs : null;
  }

  #add(key: string, endsAtMs: number, nowMs: number) {
    for (const [oldest, counter] of this.#counters) {
      if (counter.endsAtMs > nowMs && this.#counters.size < this.#max) break;
      this.#counters.delete(oldest);
    }
    this.#counters.delete(key);
    const counter = { used: 0, endsAtMs };
    this.#counters.set(key, counter);
    return counter;
  }
}

/** One for all functions of a self-hosted process; on Vercel each instance of a function has its own. */
const ofPlatform = oncePer((_: Platform) => new LocalCounts());

export const localCounts = (): LocalCounts => ofPlatform(platform());

/**
 * Count a request in this process. Every request is, before it is known whether Redis will count it: an
 * outage in the middle of a window finds what the window has used. Only this process' own requests are
 * known here, so that each instance lets at most `max` of them pass.
 */
export function countLocally(limits: Limit[], subject: Subject, now: Date): Count[] {
  const local = applying(limits, subject).filter(({ limit }) => limit.whenRedisFails === "local");
  const count = ({ limit, value }: (typeof local)[number]) => {
    const { key, resetsAtMs } = windowOf(limit, value, now);
    const used = localCounts().count(key, resetsAtMs, now.getTime());
    return windowCount(limit, value, used, resetsAtMs);
  };
  const counts = local.filter(({ limit }) => !limit.isCeiling).map(count);
  if (!counts.every(({ allowed }) => allowed)) return counts;
  return [...counts, ...local.filter(({ limit }) => limit.isCeiling).map(count)];
}

/** Give back what `countLocally` counted. */
export function uncountLocally(counts: Count[]): void {
  for (const { limit, value, resetsAtMs } of counts) {
    if (limit.whenRedisFails !== "local") continue;
    localCounts().uncount(counterKey(limit, value, resetsAtMs / limit.windowMs - 1));
  }
}

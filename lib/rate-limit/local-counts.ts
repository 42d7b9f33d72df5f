import { memoizeByObject } from "../memoize-by-object.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import type { LimitCount, LimitValues } from "./count.js";
import { applicableLimits, counterKey, currentWindow, windowCount } from "./limiter.js";
import type { Limit } from "./policies.js";

/** About 4 MB. */
const countersMax = 20_000;

/** Bounded: the oldest counter is evicted first, so that many addresses cannot exhaust the memory. */
export class LocalCounts {
  readonly #counters = new Map<string, { used: number; endsAtMs: number }>();
  readonly #max: number;

  constructor(max = countersMax) {
    this.#max = max;
  }

  get size(): number {
    return this.#counters.size;
  }

  count(key: string, endsAtMs: number, nowMs: number): number {
    const known = this.#counters.get(key);
    const counter = known && known.endsAtMs > nowMs ? known : this.#add(key, endsAtMs, nowMs);
    counter.used += 1;
    return counter.used;
  }

  uncount(key: string): void {
    const counter = this.#counters.get(key);
    if (counter && counter.used > 0) counter.used -= 1;
  }

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

/** Per process when self-hosted, per function instance on Vercel. */
const countsOfPlatform = memoizeByObject((_: Platform) => new LocalCounts());

export const localCounts = (): LocalCounts => countsOfPlatform(platform());

/** Counts the `local` limits, also while Redis works: an outage continues with the window's counts. */
export function countLocally(limits: Limit[], subject: LimitValues, now: Date): LimitCount[] {
  const local = applicableLimits(limits, subject).filter(
    ({ limit }) => limit.whenRedisFails === "local",
  );
  const count = ({ limit, value }: (typeof local)[number]) => {
    const { key, resetsAtMs } = currentWindow(limit, value, now);
    const used = localCounts().count(key, resetsAtMs, now.getTime());
    return windowCount(limit, value, used, resetsAtMs);
  };
  const counts = local.filter(({ limit }) => !limit.isCeiling).map(count);
  if (!counts.every(({ allowed }) => allowed)) return counts;
  return [...counts, ...local.filter(({ limit }) => limit.isCeiling).map(count)];
}

export function refundLocally(counts: LimitCount[]): void {
  for (const { limit, value, resetsAtMs } of counts) {
    localCounts().uncount(counterKey(limit, value, resetsAtMs / limit.windowMs - 1));
  }
}

import { afterEach, beforeEach, vi } from "vitest";

/** A fixed clock that only `advance` moves. It starts at the beginning of a window of all rate limits. */
export function useStillClock(): { advance(seconds: number): void } {
  const windowMs = 15 * 60_000;
  let nowMs = 0;
  beforeEach(() => {
    vi.useRealTimers();
    nowMs = Math.ceil(Date.now() / windowMs) * windowMs + 1000;
    vi.useFakeTimers({ toFake: ["Date"], now: nowMs });
  });
  afterEach(() => void vi.useRealTimers());
  return {
    advance(seconds) {
      nowMs += seconds * 1000;
      vi.setSystemTime(nowMs);
    },
  };
}

import { describe, expect, it } from "vitest";
import { LocalBreaker } from "../../../lib/toolkit/breaker/local-breaker.js";
import { thresholds } from "../../../lib/toolkit/breaker/state.js";

const { callsMin, openMs, openMsMax, windowMs } = thresholds;
const start = 1_700_000_000_000;

function opened(): LocalBreaker {
  const breaker = new LocalBreaker();
  breaker.count(start, { calls: callsMin, failures: callsMin });
  return breaker;
}

describe("LocalBreaker", () => {
  it("opens only for both a number of calls and a share of failures", () => {
    const breaker = new LocalBreaker();
    breaker.count(start, { calls: callsMin - 1, failures: callsMin - 1 });
    expect(breaker.admit(start)).toBe("closed");
    breaker.count(start, { calls: callsMin * 2, failures: 0 });
    expect(breaker.admit(start)).toBe("closed");
    breaker.count(start, { calls: callsMin * 2, failures: callsMin * 2 });
    expect(breaker.admit(start)).toBe("open");
  });

  it("ignores calls older than its window", () => {
    const breaker = new LocalBreaker();
    breaker.count(start, { calls: callsMin - 1, failures: callsMin - 1 });
    breaker.count(start + windowMs, { calls: 1, failures: 1 });
    expect(breaker.admit(start + windowMs)).toBe("closed");
  });

  it("admits one probe after its open time, and closes when the probe succeeds", () => {
    const breaker = opened();
    expect(breaker.admit(start + openMs - 1)).toBe("open");
    const later = breaker.openUntilMs;
    expect(breaker.admit(later)).toBe("probe");
    expect(breaker.admit(later)).toBe("open");
    breaker.settleProbe(later, true);
    expect(breaker.admit(later)).toBe("closed");
  });

  it("doubles its open time with each failed probe, up to a maximum", () => {
    const breaker = opened();
    const lasted: number[] = [];
    for (let at = 0; at < 8; at += 1) {
      const now = breaker.openUntilMs;
      expect(breaker.admit(now)).toBe("probe");
      breaker.settleProbe(now, false);
      lasted.push(breaker.openUntilMs - now);
    }
    lasted.forEach((ms, at) => {
      const least = Math.min(openMs * 2 ** (at + 1), openMsMax);
      expect(ms).toBeGreaterThanOrEqual(least);
      expect(ms).toBeLessThanOrEqual(least * 1.5);
    });
  });
});

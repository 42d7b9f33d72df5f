import { openMsFor, thresholds } from "./state.js";

/** Used while Redis is down: the same thresholds, for the calls of this process. */
export class LocalBreaker {
  #windowBeganMs = 0;
  #calls = 0;
  #failures = 0;
  #openings = 0;
  #openUntilMs = 0;
  #isProbing = false;

  admit(nowMs: number): "closed" | "probe" | "open" {
    if (this.#openings === 0) return "closed";
    if (this.#isProbing || nowMs < this.#openUntilMs) return "open";
    this.#isProbing = true;
    return "probe";
  }

  count(nowMs: number, { calls, failures }: { calls: number; failures: number }): void {
    if (nowMs - this.#windowBeganMs >= thresholds.windowMs) {
      this.#windowBeganMs = nowMs;
      this.#calls = 0;
      this.#failures = 0;
    }
    this.#calls += calls;
    this.#failures += failures;
    const { callsMin, failuresPercent } = thresholds;
    const isMuch = this.#failures * 100 >= this.#calls * failuresPercent;
    if (this.#openings === 0 && this.#calls >= callsMin && isMuch) this.#open(nowMs);
  }

  settleProbe(nowMs: number, isHealthy: boolean): void {
    this.#isProbing = false;
    if (!isHealthy) {
      this.#open(nowMs);
      return;
    }
    this.#openings = 0;
    this.#calls = 0;
    this.#failures = 0;
  }

  get openUntilMs(): number {
    return this.#openUntilMs;
  }

  #open(nowMs: number): void {
    this.#openings += 1;
    this.#openUntilMs = nowMs + openMsFor(this.#openings, Math.random());
  }
}

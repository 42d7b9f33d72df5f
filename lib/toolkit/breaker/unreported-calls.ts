import { thresholds } from "./state.js";

/** Attempts of this process not yet reported to the shared breaker, within one window. */
export class UnreportedCalls {
  #beganMs = 0;
  #calls = 0;

  add(nowMs: number, calls: number): void {
    if (nowMs - this.#beganMs >= thresholds.windowMs) {
      this.#beganMs = nowMs;
      this.#calls = 0;
    }
    this.#calls += calls;
  }

  take(nowMs: number): number {
    this.add(nowMs, 0);
    const calls = this.#calls;
    this.#calls = 0;
    return calls;
  }
}

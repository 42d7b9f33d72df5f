import { thresholds } from "./state.js";

/** The attempts of one process that the shared breaker has not been told of, within one window. */
export class UntoldCalls {
  #beganMs = 0;
  #calls = 0;

  add(nowMs: number, calls: number): void {
    if (nowMs - this.#beganMs >= thresholds.windowMs) {
      this.#beganMs = nowMs;
      this.#calls = 0;
    }
    this.#calls += calls;
  }

  /** How many there are; from now on they are told. */
  take(nowMs: number): number {
    this.add(nowMs, 0);
    const calls = this.#calls;
    this.#calls = 0;
    return calls;
  }
}

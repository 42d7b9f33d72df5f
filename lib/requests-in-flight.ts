const slot = Symbol.for("linguamate.requestsInFlight");
/** On globalThis: each bundle has its own module scope, but a self-hosted process has one count. */
const shared = globalThis as { [slot]?: number };

export function requestStarted(): void {
  shared[slot] = requestsInFlight() + 1;
}

export function requestEnded(): void {
  shared[slot] = requestsInFlight() - 1;
}

/** The requests of this process that have no reply yet. */
export function requestsInFlight(): number {
  return shared[slot] ?? 0;
}

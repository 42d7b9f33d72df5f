import { platform } from "../platform/installed.js";
import type { Trace } from "../trace.js";
import { RoundTrip } from "./round-trip.js";
import { tracedRequester } from "./traced-requester.js";

export function roundTrip({ trace }: { trace?: Trace | undefined } = {}): RoundTrip {
  const requester = platform().redis;
  return new RoundTrip(trace?.isSampled ? tracedRequester(requester, trace) : requester);
}

import { Redis } from "@upstash/redis";
import { memoizeByObject } from "../memoize-by-object.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import type { Trace } from "../trace.js";
import { RoundTrip } from "./round-trip.js";
import { tracedRequester } from "./traced-requester.js";

type TracedRequest = { trace?: Trace | undefined } | undefined;

export function redis(request?: TracedRequest): Redis {
  const { trace } = request ?? {};
  return trace?.isSampled
    ? new Redis(tracedRequester(platform().redis, trace))
    : clientOf(platform());
}

export function roundTrip(request?: TracedRequest): RoundTrip {
  const { trace } = request ?? {};
  const requester = platform().redis;
  return new RoundTrip(trace?.isSampled ? tracedRequester(requester, trace) : requester);
}

const clientOf = memoizeByObject(({ redis: requester }: Platform) => new Redis(requester));

import { Redis } from "@upstash/redis";
import { oncePer } from "../once-per.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import type { Trace } from "../trace.js";
import { RoundTrip } from "./round-trip.js";
import { traced } from "./traced.js";

/** Whoever asks Redis for a request hands over the request's context, so that the call is a span. */
type Asking = { trace?: Trace | undefined } | undefined;

/** Redis through Upstash's client, over whichever transport the platform has. */
export function redis(asking?: Asking): Redis {
  const { trace } = asking ?? {};
  return trace?.isSampled ? new Redis(traced(platform().redis, trace)) : connected(platform());
}

/** A pipeline to the same Redis. */
export function roundTrip(asking?: Asking): RoundTrip {
  const { trace } = asking ?? {};
  const requester = platform().redis;
  return new RoundTrip(trace?.isSampled ? traced(requester, trace) : requester);
}

const connected = oncePer(({ redis: requester }: Platform) => new Redis(requester));

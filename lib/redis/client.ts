import { Redis } from "@upstash/redis";
import { oncePer } from "../once-per.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import { RoundTrip } from "./round-trip.js";

/** Redis through Upstash's client, over whichever transport the platform has. */
export function redis(): Redis {
  return connected(platform());
}

/** A pipeline to the same Redis. */
export function roundTrip(): RoundTrip {
  return new RoundTrip(platform().redis);
}

const connected = oncePer(({ redis: requester }: Platform) => new Redis(requester));

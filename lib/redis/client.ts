import { Redis } from "@upstash/redis";
import { oncePer } from "../once-per.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";

/**
 * Replies stay the strings that Redis sent. The client would otherwise read a device id such as `1e5`
 * as a number; with a transport of one's own it takes this option only as a property.
 */
class PlainRedis extends Redis {
  protected override opts = { automaticDeserialization: false };
}

export type { PlainRedis };

/** Redis through Upstash's client, over whichever transport the platform has. */
export function redis(): PlainRedis {
  return connected(platform());
}

const connected = oncePer(({ redis: requester }: Platform) => new PlainRedis(requester));

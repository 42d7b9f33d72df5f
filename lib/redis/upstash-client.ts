import { Redis } from "@upstash/redis";
import { memoizeByObject } from "../memoize-by-object.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";

/** Its 80 KB are loaded only by functions that import this file. */
export function redis(): Redis {
  return clientOf(platform());
}

const clientOf = memoizeByObject(({ redis: requester }: Platform) => new Redis(requester));

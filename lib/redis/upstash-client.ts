import type { Redis } from "@upstash/redis";
import { memoizeByObject } from "../memoize-by-object.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";

/** Loaded by the first call: 80 KB that few functions need, and only when something fails. */
export function redis(): Promise<Redis> {
  return clientOf(platform());
}

const clientOf = memoizeByObject(async ({ redis: requester }: Platform) => {
  const { Redis } = await import("@upstash/redis");
  return new Redis(requester);
});

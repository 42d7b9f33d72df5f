import { neon, neonConfig } from "@neondatabase/serverless";
import { Redis } from "@upstash/redis";
import { drizzle } from "drizzle-orm/neon-http";
import { platform } from "../../../lib/platform/installed.js";

class PlainRedis extends Redis {
  protected override opts = { automaticDeserialization: false };
}

/** The same clients and transports as in ours. */
const { postgres, redis } = platform();
neonConfig.fetchFunction = postgres.fetch;
export const db = drizzle(neon(postgres.connectionString));
const client = new PlainRedis(redis);

const countSha1 = await client.scriptLoad(`
local count = redis.call("INCR", KEYS[1])
if count == 1 then redis.call("PEXPIRE", KEYS[1], ARGV[1]) end
return count`);
const windowMs = 60_000;

const gate = ["revokeAllBefore", "flags", "breaker:toolkit", "lastDrain"];

/** One round trip that starts with what every request reads, and counts in a rate limit. */
export function roundTrip(limited: string, ...blocks: string[]) {
  const window = Math.floor(Date.now() / windowMs);
  return client
    .pipeline()
    .hmget("gate", ...gate)
    .smismember("blocks", ["mirror", ...blocks])
    .evalsha(countSha1, [`rate:${limited}:${window}`], [windowMs]);
}

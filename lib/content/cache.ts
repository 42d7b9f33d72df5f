import type { Context } from "../context.js";
import { contentKey } from "../redis/cached-content.js";
import { roundTrip } from "../redis/client.js";
import { script } from "../redis/round-trip.js";

/** After a publication that Redis missed, a reply is out of date no longer than this. */
const keptSeconds = 600;

/** Only over nothing, or over the same revision; an older one goes as a whole. */
const keep = script(`local held = redis.call("HGET", KEYS[1], "revision")
if held and tonumber(held) > tonumber(ARGV[1]) then return 0 end
if held and held ~= ARGV[1] then redis.call("DEL", KEYS[1]) end
redis.call("HSET", KEYS[1], "revision", unpack(ARGV, 1, #ARGV - 1))
if held ~= ARGV[1] then redis.call("EXPIRE", KEYS[1], ARGV[#ARGV]) end
return 1`);

/** A body of the catalogue and the revision of all content that was read with it. */
export interface Published<Body> {
  body: Body;
  revision: number;
}

/** Rejects when Redis is down. Safe to repeat. `revision` is from the same read as the text. */
export async function keepCached(
  ctx: Context,
  revision: number,
  name: string,
  text: string,
): Promise<void> {
  await writeCached(ctx, revision, [name, text]);
}

/** Removes the replies of older revisions. Rejects when Redis is down. Safe to repeat. */
export async function forgetOlder(ctx: Context, revision: number): Promise<void> {
  await writeCached(ctx, revision, []);
}

async function writeCached(ctx: Context, revision: number, fields: string[]): Promise<void> {
  const trip = roundTrip(ctx);
  const args = [revision, ...fields, keptSeconds];
  await Promise.all([trip.script<number>(keep, [contentKey], args), trip.send()]);
}

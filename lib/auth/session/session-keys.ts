import type { Context, Role } from "../../context.js";
import { sessionKeysUndeleted } from "../../observability/log-lines/sessions.js";
import { roundTrip } from "../../redis/client.js";
import { enforce, enforceTimeoutMs } from "../../redis/enforce.js";
import { type RoundTrip, script } from "../../redis/round-trip.js";
import { idleMs } from "./lifetime.js";

/** The key whose presence makes a session live; `redis-cli DEL session:<id>` ends it. */
export const sessionKey = (id: string) => `session:${id}`;

/** Remembers that the session's key was written, and tells so one that was deleted from one that was lost. */
export const knownSessionKey = (id: string) => `known-session:${id}`;

/**
 * The role that a session acts in: operators and admins are nothing but users until they have shown a
 * second factor.
 */
export function actingRole(role: Role, authMethods: string[]): Role {
  return authMethods.includes("otp") ? role : "user";
}

/** What the key holds of a session. */
export interface SessionHash {
  id: string;
  userId: string;
  role: Role;
  createdAt: Date;
  /** The absolute end; null for a guest's. */
  expiresAt: Date | null;
}

/**
 * Both keys or none, so that whoever looks never takes one that is being written for a deleted one; and
 * none for a session that was ended meanwhile.
 */
const writeKeys = script(`
if redis.call("GET", KEYS[2]) == "ended" then return end
redis.call("HSET", KEYS[1], unpack(ARGV, 2))
redis.call("PEXPIREAT", KEYS[1], ARGV[1])
redis.call("SET", KEYS[2], "live", "PXAT", ARGV[1])`);

/** The mark stays for as long as a write of the key may be under way, and much longer. */
const endKeys = script(`
for i = 1, #KEYS, 2 do
  redis.call("DEL", KEYS[i])
  redis.call("SET", KEYS[i + 1], "ended", "EX", 86400)
end`);

/**
 * Write the key of a live session. Writing it twice is harmless. It stays until the session's absolute
 * end: idleness is judged by the record at each refresh, and an access token does not outlive it by much.
 */
export async function writeSessionKey(
  trip: RoundTrip,
  { id, userId, role, createdAt, expiresAt }: SessionHash,
  now: Date,
): Promise<void> {
  const end = expiresAt?.getTime() ?? now.getTime() + idleMs(true);
  const fields = {
    user: userId,
    role,
    created: String(createdAt.getTime()),
    expires: expiresAt ? String(end) : "",
  };
  const keys = [sessionKey(id), knownSessionKey(id)];
  await trip.script(writeKeys, keys, [end, ...Object.entries(fields).flat()]);
}

const setRole = script(`
if redis.call("EXISTS", KEYS[1]) == 1 then redis.call("HSET", KEYS[1], "role", ARGV[1]) end`);

/**
 * Change the role that a live session acts in, from the next request on. A session whose key is missing
 * is decided by its record and stays so. Rejects when Redis cannot answer; repeating it is harmless.
 */
export async function changeSessionRole(ctx: Context, id: string, role: Role): Promise<void> {
  const trip = roundTrip(ctx);
  await Promise.all([
    trip.script(setRole, [sessionKey(id)], [role]),
    trip.send({ timeoutMs: enforceTimeoutMs }),
  ]);
}

/** Delete the keys of sessions that have ended, within `trip`. Doing it twice is harmless. */
export async function endSessionKeys(trip: RoundTrip, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await trip.script(
    endKeys,
    ids.flatMap((id) => [sessionKey(id), knownSessionKey(id)]),
    [],
  );
}

/** The same in a trip of its own, after the record was written. It is repeated until Redis has done it. */
export async function deleteSessionKeys(ctx: Context, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await enforce(
    ctx,
    async () => {
      const trip = roundTrip(ctx);
      await Promise.all([endSessionKeys(trip, ids), trip.send({ timeoutMs: enforceTimeoutMs })]);
    },
    (error) => sessionKeysUndeleted(ctx.correlationId, ids.length, error),
  );
}

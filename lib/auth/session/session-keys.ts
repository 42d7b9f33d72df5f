import type { Context, Role } from "../../context.js";
import { sessionKeysUndeleted } from "../../observability/log-lines/sessions.js";
import { roundTrip } from "../../redis/client.js";
import { enforce, enforceTimeoutMs } from "../../redis/enforce.js";
import { type RoundTrip, script } from "../../redis/round-trip.js";
import { idleTimeoutMs } from "./lifetime.js";

/** The key of a live session; `redis-cli DEL session:<id>` ends it. */
export const sessionKey = (id: string) => `session:${id}`;

/** A second key that distinguishes a deleted session key from a lost one (docs/decisions/004). */
export const sessionMarkerKey = (id: string) => `known-session:${id}`;

/** Operators and admins act as users until they have used a second factor. */
export function actingRole(role: Role, authMethods: string[]): Role {
  return authMethods.includes("otp") ? role : "user";
}

export interface SessionKeyFields {
  id: string;
  userId: string;
  role: Role;
  createdAt: Date;
  /** The absolute expiry; null for guests. */
  expiresAt: Date | null;
}

const writeKeys = script(`
if redis.call("GET", KEYS[2]) == "ended" then return end
redis.call("HSET", KEYS[1], unpack(ARGV, 2))
redis.call("PEXPIREAT", KEYS[1], ARGV[1])
redis.call("SET", KEYS[2], "live", "PXAT", ARGV[1])`);

const endKeys = script(`
for i = 1, #KEYS, 2 do
  redis.call("DEL", KEYS[i])
  redis.call("SET", KEYS[i + 1], "ended", "EX", 86400)
end`);

/** Writes both keys unless `endSessionKeys` ran. They expire at the absolute expiry; for a guest, after its idle timeout. */
export async function writeSessionKey(
  trip: RoundTrip,
  { id, userId, role, createdAt, expiresAt }: SessionKeyFields,
  now: Date,
): Promise<void> {
  const end = expiresAt?.getTime() ?? now.getTime() + idleTimeoutMs(true);
  const fields = {
    user: userId,
    role,
    created: String(createdAt.getTime()),
    expires: expiresAt ? String(end) : "",
  };
  const keys = [sessionKey(id), sessionMarkerKey(id)];
  await trip.script(writeKeys, keys, [end, ...Object.entries(fields).flat()]);
}

const setRole = script(`
if redis.call("EXISTS", KEYS[1]) == 1 then redis.call("HSET", KEYS[1], "role", ARGV[1]) end`);

/** Only in an existing key. Takes effect at the next request. Idempotent. Rejects when Redis cannot answer. */
export async function changeSessionRole(ctx: Context, id: string, role: Role): Promise<void> {
  const trip = roundTrip(ctx);
  await Promise.all([
    trip.script(setRole, [sessionKey(id)], [role]),
    trip.send({ timeoutMs: enforceTimeoutMs }),
  ]);
}

/** Deletes the keys; for a day `writeSessionKey` does not write them again. Idempotent. */
export async function endSessionKeys(trip: RoundTrip, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await trip.script(
    endKeys,
    ids.flatMap((id) => [sessionKey(id), sessionMarkerKey(id)]),
    [],
  );
}

/** Call it after the commit. Never rejects: a failure is logged, and repeated in the background. */
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

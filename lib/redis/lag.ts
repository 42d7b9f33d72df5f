import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";

/**
 * Whether Redis may lack what Postgres records as ended, blocked or switched off. One state for the whole
 * process, on `globalThis` because the functions of `dev:server` have a module scope each.
 */
interface Lag {
  /** The stores of which it is true; null when Redis is up to date as far as this process knows. */
  of: Platform | null;
  /** How often it was noticed: what is noticed during a repair needs another one. */
  noticed: number;
}

const slot = Symbol.for("linguamate.redis-lag");
const shared = globalThis as { [slot]?: Lag };

function lag(): Lag {
  shared[slot] ??= { of: null, noticed: 0 };
  return shared[slot];
}

/** Redis has refused or missed a write: until it is repaired, this process goes by Postgres. */
export function redisLags(): void {
  lag().of = platform();
  lag().noticed += 1;
}

export function doesRedisLag(): boolean {
  const { of } = lag();
  return of !== null && of === platform();
}

/** Run what writes the record into Redis; afterwards Redis decides again, unless it has failed since. */
export async function repairLag(repair: () => Promise<unknown>): Promise<void> {
  const { noticed } = lag();
  await repair();
  if (lag().noticed === noticed) lag().of = null;
}

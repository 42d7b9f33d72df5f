import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";

// On `globalThis`: the functions of `dev:server` have a module scope each.
interface Lag {
  /** Null when Redis is up to date as far as this process knows. */
  of: Platform | null;
  noticed: number;
}

const slot = Symbol.for("linguamate.redis-lag");
const shared = globalThis as { [slot]?: Lag };

function lag(): Lag {
  shared[slot] ??= { of: null, noticed: 0 };
  return shared[slot];
}

export function markRedisStale(): void {
  lag().of = platform();
  lag().noticed += 1;
}

export function isRedisStale(): boolean {
  const { of } = lag();
  return of !== null && of === platform();
}

/** Redis decides again afterwards, unless another write has failed. Rejects when `repair` does. */
export async function repairStaleRedis(repair: () => Promise<unknown>): Promise<void> {
  const { noticed } = lag();
  await repair();
  if (lag().noticed === noticed) lag().of = null;
}

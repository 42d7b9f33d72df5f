import type { Env } from "../env.js";
import { isRecorded } from "./own-deployment.js";

const againMs = 60_000;

const slot = Symbol.for("linguamate.observedReleases");
/** On globalThis: each bundle has its own module scope, but a process has one release. */
const shared = globalThis as { [slot]?: WeakMap<Env, number> };

/**
 * Whether this request is to show that its release serves: on Vercel, which reports its switches, once per process and
 * release, elsewhere each minute. Only for a request that came through a production domain: a deployment's own host name
 * leads to it also when another one is live.
 */
export function claimObservation(env: Env, host: string): boolean {
  if (performance.now() < nextMs(env)) return false;
  if (!isRecorded(env) || env.deployment.ownHosts.includes(host)) return false;
  const isOnce = env.deployment.platform === "vercel";
  observed().set(env, isOnce ? Number.POSITIVE_INFINITY : performance.now() + againMs);
  return true;
}

/** After a failure: the first request after a minute tries again. */
export function retryObservation(env: Env): void {
  observed().set(env, performance.now() + againMs);
}

const nextMs = (env: Env) => observed().get(env) ?? 0;

function observed(): WeakMap<Env, number> {
  shared[slot] ??= new WeakMap();
  return shared[slot];
}

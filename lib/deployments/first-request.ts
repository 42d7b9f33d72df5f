import type { Env } from "../env.js";
import { isRecorded } from "./own-deployment.js";

const retryMs = 60_000;

const slot = Symbol.for("linguamate.observedReleases");
/** On globalThis: each bundle has its own module scope, but a process has one release. */
const shared = globalThis as { [slot]?: WeakMap<Env, number> };

/**
 * True once per process and release, for a request that came through a production domain: a deployment's own host name
 * leads to it also when another one is live.
 */
export function claimFirstRequest(env: Env, host: string): boolean {
  if (performance.now() < nextMs(env)) return false;
  if (!isRecorded(env) || env.deployment.ownHosts.includes(host)) return false;
  observed().set(env, Number.POSITIVE_INFINITY);
  return true;
}

/** After a failure: the first request after a minute tries again. */
export function releaseFirstRequest(env: Env): void {
  observed().set(env, performance.now() + retryMs);
}

const nextMs = (env: Env) => observed().get(env) ?? 0;

function observed(): WeakMap<Env, number> {
  shared[slot] ??= new WeakMap();
  return shared[slot];
}

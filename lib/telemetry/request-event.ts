import type { Context } from "../context.js";
import { keyedHash, keyedHashes } from "../crypto/secret.js";
import type { Env } from "../env.js";
import type { ErrorCode } from "../errors.js";
import { addressPrefix } from "../ip-address.js";
import { oncePer } from "../once-per.js";
import type { RequestMetrics } from "../request-metrics.js";

/** What every request ends in: the access log, the metrics and the alerts are made of it. */
export interface RequestEvent extends Omit<RequestMetrics, "userId" | "isPendingInRedis"> {
  /** When the request ended, in ms. */
  atMs: number;
  correlationId: string;
  route: string;
  method: string;
  status: number;
  durationMs: number;
  code: ErrorCode | undefined;
  /** Keyed: nobody reads the person's id from it. */
  userHash: string | undefined;
  ipPrefix: string | null;
  appVersion: string | undefined;
}

export interface Ended {
  method: string;
  status: number;
  durationMs: number;
  code: ErrorCode | undefined;
  /** What the client says of itself, as it came. */
  appVersion: string | null;
}

/** The event of a request that has been answered. */
export function requestEvent(ctx: Context, ended: Ended): RequestEvent {
  const { requestMetrics, address } = ctx;
  const { status, durationMs, code } = ended;
  return {
    atMs: Date.now(),
    correlationId: ctx.correlationId,
    route: ctx.route,
    // Anybody can invent a method: what is counted by it has few values.
    method: methods.has(ended.method) ? ended.method : "other",
    status,
    durationMs,
    code,
    userHash:
      requestMetrics.userId === undefined ? undefined : userHash(ctx.env, requestMetrics.userId),
    ipPrefix: address === undefined ? null : prefixOf(address),
    appVersion: version.exec(ended.appVersion ?? "")?.[0],
    limits: requestMetrics.limits,
    externalCalls: requestMetrics.externalCalls,
    tokenFailure: requestMetrics.tokenFailure,
    securityEvents: requestMetrics.securityEvents,
  };
}

/** How the access log names a person. */
export function userHash(env: Env, userId: string): string {
  return hashes(env)(userId);
}

/** How it may have named them: by each data key, the present one first. */
export const userHashes = (env: Env, userId: string) => keyedHashes(env, purpose, userId);

const methods = new Set(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]);
const version = /^[\w.+-]{1,32}$/;

const purpose = "access-log-user";
const hashes = oncePer((env: Env) =>
  remembered((userId: string) => keyedHash(env, purpose, userId)),
);
const prefixOf = remembered(addressPrefix);

/** The same people come again and again: hashing would be a tenth of what an event costs. */
function remembered<V>(make: (key: string) => V): (key: string) => V {
  const known = new Map<string, V>();
  return (key) => {
    const found = known.get(key);
    if (found !== undefined) return found;
    if (known.size === 2000) known.clear();
    const made = make(key);
    known.set(key, made);
    return made;
  };
}

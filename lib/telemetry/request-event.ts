import type { Context } from "../context.js";
import { keyedHash, keyedHashes } from "../crypto/secret.js";
import type { Env } from "../env.js";
import type { ErrorCode } from "../errors.js";
import { addressPrefix } from "../ip-address.js";
import { memoizeByObject } from "../memoize-by-object.js";
import { rememberByText } from "../remember-by-text.js";
import type { RequestMetrics } from "../request-metrics.js";

/** One per request: the source of the access log, the metrics and the alerts. */
export interface RequestEvent extends Omit<RequestMetrics, "userId" | "isPendingInRedis"> {
  atMs: number;
  correlationId: string;
  route: string;
  method: string;
  status: number;
  durationMs: number;
  code: ErrorCode | undefined;
  /** HMAC of the user ID with the data key. */
  userHash: string | undefined;
  ipPrefix: string | null;
  appVersion: string | undefined;
}

export interface FinishedRequest {
  method: string;
  status: number;
  durationMs: number;
  code: ErrorCode | undefined;
  appVersion: string | null;
}

export function requestEvent(ctx: Context, ended: FinishedRequest): RequestEvent {
  const { requestMetrics, address } = ctx;
  const { status, durationMs, code } = ended;
  return {
    atMs: Date.now(),
    correlationId: ctx.correlationId,
    route: ctx.route,
    // Clients can send any method: limit the number of label values.
    method: methods.has(ended.method) ? ended.method : "other",
    status,
    durationMs,
    code,
    userHash:
      requestMetrics.userId === undefined ? undefined : userHash(ctx.env, requestMetrics.userId),
    ipPrefix: addressPrefix(address),
    appVersion: version.exec(ended.appVersion ?? "")?.[0],
    limits: requestMetrics.limits,
    externalCalls: requestMetrics.externalCalls,
    tokenFailure: requestMetrics.tokenFailure,
    contentCache: requestMetrics.contentCache,
    attempt: requestMetrics.attempt,
    answer: requestMetrics.answer,
    securityEvents: requestMetrics.securityEvents,
  };
}

export function userHash(env: Env, userId: string): string {
  return hashes(env)(userId);
}

/** The hash under every data key, the current one first. */
export const userHashes = (env: Env, userId: string) => keyedHashes(env, purpose, userId);

const methods = new Set(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]);
const version = /^[\w.+-]{1,32}$/;

const purpose = "access-log-user";
/** Hashing would be a tenth of the cost of an event. */
const hashes = memoizeByObject((env: Env) =>
  rememberByText((userId) => keyedHash(env, purpose, userId)),
);

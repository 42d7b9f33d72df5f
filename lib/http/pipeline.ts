import { findAdmission, requireNotBlocked, requireSwitchedOn } from "../admission/admission.js";
import type { LimitCount, Reservation } from "../rate-limit/count.js";
import { filterCounts } from "../rate-limit/reservation.js";
import type { CallerInfo } from "./endpoint.js";
import type { Call, Exchange } from "./exchange.js";
import type { Reply } from "./reply.js";
import type { Resource } from "./resource.js";
import { requireSupportedApp } from "./steps/app-version.js";
import { askRedis, type RedisAnswer } from "./steps/ask-redis.js";
import { handle } from "./steps/handle.js";
import { requireAllowedHost } from "./steps/hosts.js";
import { identify } from "./steps/identify.js";
import {
  countingOf,
  countingOfRefused,
  mayMailUnproven,
  requireWithinLimits,
} from "./steps/limits.js";
import { preflight, requireEndpoint } from "./steps/method.js";
import { pathParams } from "./steps/path.js";
import { validQuery } from "./steps/query.js";
import { readBody, readBodyFirst } from "./steps/read-body.js";
import { recheckCaller, requireCaller, requireStepUp } from "./steps/require-caller.js";
import { requireCredential } from "./steps/require-credential.js";
import { type Progress, settle } from "./steps/settle.js";

/** After a slower body, block, kill switch and caller are checked again. */
const slowBodyMs = 5000;

/**
 * Answer a request. The steps run from top to bottom, and each throws an `AppError` to refuse the request:
 * host, method, app version, path, credential, block, kill switch, limits, caller, step-up, query, body.
 * A body that identifies the caller (`identify`) is read before the block instead. When it is refused, the request
 * is counted by its address, and its error comes after the limits. After a slow body the caller is checked again.
 * OPTIONS is answered after the host.
 */
export async function runPipeline(resource: Resource, exchange: Exchange): Promise<Reply> {
  requireAllowedHost(resource, exchange);
  if (exchange.request.method === "OPTIONS") return preflight(resource);
  const endpoint = requireEndpoint(resource, exchange);
  requireSupportedApp(exchange);
  const params = pathParams(resource.template, exchange.url);
  const call: Call = { ...exchange, endpoint, params };
  const credential = await requireCredential(call);
  const first = endpoint.identify && (await readBodyFirst(call, credential));
  const identity = first?.refusal ? {} : identify(call, first?.body);
  const counting = first?.refusal
    ? countingOfRefused(call)
    : countingOf(call, credential, identity);
  const answer = await askRedis(call, credential, identity, counting);
  // No answer: the endpoint has no limits and no session, so no block or kill switch applies.
  const progress: Progress = { stage: "admission", usesKey: credential.key !== undefined };
  let reserved: Reservation = answer?.reserved ?? { counts: [], countedIn: "redis", local: [] };
  try {
    if (answer) {
      const admission = await findAdmission(call.ctx, answer.members, answer.blocked);
      requireNotBlocked(admission);
      requireSwitchedOn(call.ctx, admission);
    }
    const delay = requireWithinLimits(call, reserved, counting);
    if (first?.refusal) throw first.refusal;
    const caller = callerInfo(call, answer, reserved, delay);
    reserved = caller.reserved;
    progress.stage = "caller";
    let who = await requireCaller(call, credential, caller.session);
    if (endpoint.stepUp) requireStepUp(call.ctx, credential.claims);
    const query = validQuery(call);
    const startedAt = performance.now();
    const body = first ?? (await readBody(call, credential));
    const wasSlow = !first && performance.now() - startedAt > slowBodyMs;
    if (wasSlow) who = await recheckCaller(call, credential);
    const { claims } = credential;
    return await handle(call, { query, identity, claims, caller, ...who, ...body }, progress);
  } catch (error) {
    progress.error = error;
    throw error;
  } finally {
    settle(call.ctx, reserved, progress);
  }
}

function callerInfo(
  { ctx, request }: Call,
  answer: RedisAnswer | null,
  reserved: Reservation,
  delay: LimitCount | null,
): CallerInfo {
  return {
    country: request.headers.get("x-vercel-ip-country") ?? undefined,
    mayMailUnproven: mayMailUnproven(ctx, reserved),
    delayedUntil: delay && new Date(delay.resetsAtMs),
    reserved: filterCounts(reserved, ({ limit }) => limit.countsKept !== "requests"),
    session: answer?.session ?? null,
    keyState: answer?.keyState ?? "unknown",
    revokeAllBefore: (answer && ctx.gate?.revokeAllBefore) ?? 0,
    cached: answer?.cached,
  };
}

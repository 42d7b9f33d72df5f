import type { Context } from "../../context.js";
import { AppError, catalogue, type ErrorCode, switchedOffCodes } from "../../errors.js";
import { recordFailedAttempt } from "../../rate-limit/attempt-events.js";
import type { LimitCount, Reservation } from "../../rate-limit/count.js";
import { releaseLater } from "../../rate-limit/reservation.js";

/** How far a request came, for what it keeps of its reservation. */
export interface Progress {
  stage: "admission" | "caller" | "handler" | "replay";
  /** An operator token or the break-glass token was sent. */
  usesKey: boolean;
  error?: unknown;
}

/** Release after the reply what need not stay counted. A failed attempt stays counted and is a security event. */
export function settle(ctx: Context, reserved: Reservation, progress: Progress): void {
  const { stage, error } = progress;
  if (stage === "handler" && !progress.usesKey && isFailedAttempt(error)) {
    recordFailedAttempt(ctx, reserved);
    return;
  }
  releaseLater(ctx, reserved, isReleased(progress));
}

function isReleased({ stage, usesKey, error }: Progress): (count: LimitCount) => boolean {
  const code = error instanceof AppError ? error.code : undefined;
  if (stage === "admission") {
    // Nothing that this caller did: the service is switched off, or its budget is used up.
    const isOurs =
      code !== undefined && [...switchedOffCodes, "toolkit_unavailable"].includes(code);
    return ({ limit }) => isOurs || limit.countsKept !== "requests";
  }
  if (usesKey) {
    const kind = code === "token_invalid" ? "session" : "ip";
    return ({ limit }) => limit.kind === kind;
  }
  if (stage === "handler" && error === undefined)
    return ({ limit }) => limit.countsKept === "failures";
  return ({ limit }) => limit.countsKept !== "requests";
}

/** These ask for another credential: nothing was guessed. */
const asksForMore: ErrorCode[] = [
  "otp_required",
  "token_expired",
  "session_expired",
  "session_revoked",
];

function isFailedAttempt(error: unknown): boolean {
  if (!(error instanceof AppError) || asksForMore.includes(error.code)) return false;
  return error.code === "code_invalid" || catalogue[error.code].status === 401;
}

import {
  blockMembers,
  findAdmission,
  requireNotBlocked,
  requireSwitchedOn,
} from "../../admission/admission.js";
import { type Operator, requireOperator } from "../../auth/operator/operator.js";
import { requireOperatorKeyHolder } from "../../auth/operator/operator-key.js";
import { requireLiveSession, type SessionLookup } from "../../auth/session/live-session.js";
import type { Actor, Context } from "../../context.js";
import { AppError } from "../../errors.js";
import type { Call } from "../exchange.js";
import { blockableAddress } from "./ask-redis.js";
import type { Credential } from "./require-credential.js";

export interface Caller {
  actor?: Actor;
  operator?: Operator;
}

/** The live session behind the token, or the operator who holds the key, if they may do this. Empty for other `auth`. */
export async function requireCaller(
  { endpoint, ctx }: Call,
  { claims, key }: Credential,
  session: SessionLookup | null,
): Promise<Caller> {
  const { auth, operation } = endpoint;
  if (key) {
    if (!operation) throw new Error("An operators' endpoint needs an operation.");
    return { operator: await requireOperatorKeyHolder(ctx, key, operation) };
  }
  if (!claims || (auth !== "user" && auth !== "operator")) return {};
  const actor = await requireLiveSession(ctx, claims, session);
  return operation
    ? { actor, operator: requireOperator(ctx, actor, claims, operation) }
    : { actor };
}

/** Check block, kill switch and caller again, by Postgres: each may have changed during a slow body. Renews `ctx.now`. */
export async function recheckCaller(call: Call, credential: Credential): Promise<Caller> {
  const { ctx } = call;
  const { claims, key } = credential;
  ctx.now = new Date();
  ctx.gate = null;
  const members = blockMembers(blockableAddress(ctx, key), claims?.userId);
  const admission = await findAdmission(ctx, members, null);
  requireNotBlocked(admission);
  requireSwitchedOn(ctx, admission);
  return requireCaller(call, credential, null);
}

const stepUpMs = 10 * 60_000;

/**
 * Throws `reauth_required` for a `stepUp` endpoint when the token's credential was shown over ten minutes ago. For an
 * operator's change, `operatorChange` calls it: a dry run does not need it.
 */
export function requireStepUp({ now }: Context, claims: Credential["claims"] | undefined): void {
  if (claims && !isStepUpFresh({ now }, claims)) throw new AppError("reauth_required");
}

export function isStepUpFresh(
  { now }: Pick<Context, "now">,
  { authenticatedAt }: Pick<NonNullable<Credential["claims"]>, "authenticatedAt">,
): boolean {
  return now.getTime() - authenticatedAt.getTime() <= stepUpMs;
}

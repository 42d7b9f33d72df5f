import type { Actor, Context } from "../../context.js";
import { type FreshAccessToken, reauthenticate } from "../reauthenticate.js";
import { requireOperating } from "./operator.js";

/**
 * An access token that has just shown the second factor, for a session that operates. Throws `forbidden`
 * for any other, and what `reauthenticate` throws.
 */
export async function confirmOperator(
  ctx: Context,
  actor: Actor,
  otp: string,
): Promise<FreshAccessToken> {
  requireOperating(ctx, actor);
  return reauthenticate(ctx, actor, { otp });
}

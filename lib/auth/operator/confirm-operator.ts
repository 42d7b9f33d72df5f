import type { Actor, Context } from "../../context.js";
import { type FreshAccessToken, reauthenticate } from "../reauthenticate.js";
import { requireOperatorRole } from "./operator.js";

/** `reauthenticate` with a second factor, for an operator's session. Throws `forbidden` for any other. */
export async function confirmOperator(
  ctx: Context,
  actor: Actor,
  otp: string,
): Promise<FreshAccessToken> {
  requireOperatorRole(ctx, actor);
  return reauthenticate(ctx, actor, { otp });
}

import type { Actor, Context } from "../../context.js";
import { type FreshAccessToken, reauthenticate } from "../reauthenticate.js";
import { requireOperating } from "./operator.js";

/** `reauthenticate` for an operator's session. Throws `forbidden` for any other. */
export async function confirmOperator(
  ctx: Context,
  actor: Actor,
  otp: string,
): Promise<FreshAccessToken> {
  requireOperating(ctx, actor);
  return reauthenticate(ctx, actor, { otp });
}

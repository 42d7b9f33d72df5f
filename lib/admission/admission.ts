import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { networksOf, personOf } from "./block-members.js";
import { type Flags, parseFlags } from "./flags.js";
import { mirrorChange } from "./mirror.js";
import { type Rules, recordedRules } from "./recorded-rules.js";
import { routeGroupOf } from "./route-groups.js";

/** When a switched-off group is worth another try. */
const retryAfterSeconds = 60;

/** What a block of the caller would stand under: the networks around the address, and the person. */
export function blockMembers(address: string | undefined, userId: string | undefined): string[] {
  return [
    ...(address === undefined ? [] : networksOf(address)),
    ...(userId === undefined ? [] : [personOf(userId)]),
  ];
}

/**
 * Refuse whoever is blocked, and what is switched off: `address_blocked`, `account_blocked`,
 * `feature_disabled`. `blocked` is what Redis said of `members`; null where it did not, or has lost it.
 * Then Postgres is asked, and Redis told again after the reply.
 */
export async function requireServed(
  ctx: Context,
  members: string[],
  blocked: string[] | null,
): Promise<void> {
  const flags = ctx.gate?.flags ? parseFlags(ctx.gate.flags) : null;
  const recorded = flags && blocked ? null : await recorder(ctx);
  const found = blocked ?? members.filter((member) => recorded?.blocked.has(member));
  if (found.some((member) => member.startsWith("user:"))) throw new AppError("account_blocked");
  if (found.length > 0) throw new AppError("address_blocked");
  const group = routeGroupOf(ctx.route);
  if (group && (flags ?? recorded?.flags)?.off.has(group)) {
    throw new AppError("feature_disabled", { retryAfterSeconds });
  }
}

async function recorder(ctx: Context): Promise<Rules> {
  const { rules, isRead } = await recordedRules(ctx);
  // Redis answers and has lost it: whoever has read the record puts it back.
  if (isRead && ctx.gate) ctx.after(() => mirrorChange(ctx));
  return rules;
}

/** The flags as this request was told them. */
export async function flagsOf(ctx: Context): Promise<Flags> {
  const mirrored = ctx.gate?.flags ? parseFlags(ctx.gate.flags) : null;
  return mirrored ?? (await recorder(ctx)).flags;
}

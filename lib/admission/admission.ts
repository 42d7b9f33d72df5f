import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { networksOf, personOf } from "./block-members.js";
import { type Flags, parseFlags } from "./flags.js";
import { mirrorChange } from "./mirror.js";
import { type Rules, recordedRules } from "./recorded-rules.js";
import { routeGroupOf } from "./route-groups.js";

const retryAfterSeconds = 60;

export function blockMembers(address: string | undefined, userId: string | undefined): string[] {
  return [
    ...(address === undefined ? [] : networksOf(address)),
    ...(userId === undefined ? [] : [personOf(userId)]),
  ];
}

/** Throws `address_blocked`, `account_blocked` or `feature_disabled`. Without an answer of Redis (null), Postgres decides. */
export async function requireServed(
  ctx: Context,
  members: string[],
  blocked: string[] | null,
): Promise<void> {
  const flags = ctx.gate?.flags ? parseFlags(ctx.gate.flags) : null;
  const recorded = flags && blocked ? null : await rulesFromPostgres(ctx);
  const found = blocked ?? members.filter((member) => recorded?.blocked.has(member));
  if (found.some((member) => member.startsWith("user:"))) throw new AppError("account_blocked");
  if (found.length > 0) throw new AppError("address_blocked");
  const group = routeGroupOf(ctx.route);
  if (group && (flags ?? recorded?.flags)?.off.has(group)) {
    throw new AppError("feature_disabled", { retryAfterSeconds });
  }
}

async function rulesFromPostgres(ctx: Context): Promise<Rules> {
  const { rules, isRead } = await recordedRules(ctx);
  // Redis answers but lost its data: the process that read Postgres restores it.
  if (isRead && ctx.gate) ctx.after(() => mirrorChange(ctx));
  return rules;
}

export async function flagsOf(ctx: Context): Promise<Flags> {
  const mirrored = ctx.gate?.flags ? parseFlags(ctx.gate.flags) : null;
  return mirrored ?? (await rulesFromPostgres(ctx)).flags;
}

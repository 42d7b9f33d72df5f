import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { networksOf, userMember } from "./block-members.js";
import { type Flags, parseFlags } from "./flags.js";
import { type Rules, recordedRules } from "./recorded-rules.js";
import { routeGroupOf } from "./route-groups.js";

const retryAfterSeconds = 60;

/** The names by which a caller can be blocked: its networks and `user:<id>`. */
export function blockMembers(address: string | undefined, userId: string | undefined): string[] {
  return [
    ...(address === undefined ? [] : networksOf(address)),
    ...(userId === undefined ? [] : [userMember(userId)]),
  ];
}

/** What decides whether a caller is served, from Redis or else from Postgres. */
export interface Admission {
  /** The members that are blocked. */
  blocked: string[];
  flags: Flags | undefined;
  isRestoring: boolean;
}

/** `blocked` is from Redis, or null: `recordedRules` then decides, and a Redis that lost its data is updated after the reply. */
export async function findAdmission(
  ctx: Context,
  members: string[],
  blocked: string[] | null,
): Promise<Admission> {
  const flags = ctx.gate?.flags ? parseFlags(ctx.gate.flags) : null;
  const recorded = flags && blocked ? null : await rulesFromPostgres(ctx);
  return {
    blocked: blocked ?? members.filter((member) => recorded?.blocked.has(member)),
    flags: flags ?? recorded?.flags,
    // Either store can have lost it: Postgres in the restore, Redis in the outage before it.
    isRestoring: (ctx.gate?.isRestoring || recorded?.isRestoring) ?? false,
  };
}

/** Throws `account_blocked` or `address_blocked`. */
export function requireNotBlocked({ blocked }: Admission): void {
  if (blocked.some((member) => member.startsWith("user:"))) throw new AppError("account_blocked");
  if (blocked.length > 0) throw new AppError("address_blocked");
}

/** Throws `feature_disabled` for a route whose group is switched off, `restore_in_progress` for all routes with a group. */
export function requireSwitchedOn({ route }: Context, { flags, isRestoring }: Admission): void {
  const group = routeGroupOf(route);
  if (group && isRestoring) throw new AppError("restore_in_progress", { retryAfterSeconds });
  if (group && flags?.off.has(group)) throw new AppError("feature_disabled", { retryAfterSeconds });
}

async function rulesFromPostgres(ctx: Context): Promise<Rules> {
  const { rules, isRead } = await recordedRules(ctx);
  // Redis answers but lost its data: the process that read Postgres restores it.
  if (isRead && ctx.gate) ctx.after(() => restoreMirror(ctx));
  return rules;
}

/** Loaded on demand: only after a loss of data. */
async function restoreMirror(ctx: Context): Promise<void> {
  const { copyChangeToRedis } = await import("./mirror.js");
  await copyChangeToRedis(ctx);
}

export async function flagsOf(ctx: Context): Promise<Flags> {
  const mirrored = ctx.gate?.flags ? parseFlags(ctx.gate.flags) : null;
  return mirrored ?? (await rulesFromPostgres(ctx)).flags;
}

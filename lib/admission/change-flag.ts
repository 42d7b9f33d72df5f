import { isDeepStrictEqual } from "node:util";
import { eq, sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { flags, mirrorVersions } from "../db/schema/gate.js";
import { AppError } from "../errors.js";
import { type FlagRow, flagsText, mirrorBytesMax } from "./flags.js";
import { copyChangeToRedis, isInRedis } from "./mirror.js";
import { readRecorded } from "./recorded-rules.js";
import { isRouteGroup, routeGroups } from "./route-groups.js";

export const FlagName = z.string().regex(/^[a-z][a-z0-9_-]{1,39}$/);

const FlagDetails = z.strictObject({
  name: z.string(),
  kind: z.enum(["kill_switch", "feature"]),
  enabled: z.boolean(),
  /** Features only: also visible to anonymous callers. */
  isPublic: z.boolean(),
  percentage: z.int(),
  users: z.array(z.string()),
  /** Kill switches only: what they turn off. */
  covers: z.string().nullable(),
});

export const FlagChange = {
  enabled: z.boolean(),
  isPublic: z.boolean().optional(),
  percentage: z.int().min(0).max(100).optional(),
  users: z.array(z.uuid()).max(100).optional(),
};
export type FlagChange = z.infer<z.ZodObject<typeof FlagChange>>;

export const FlagList = z.strictObject({
  items: z.array(FlagDetails),
  /** False when Redis does not have these flags, or does not answer. */
  inForce: z.boolean().optional(),
});
export type FlagList = z.infer<typeof FlagList>;

export async function listFlags(ctx: Context): Promise<FlagList> {
  const { version, rows } = (await readRecorded(ctx)).flags;
  const switches = Object.entries(routeGroups).map(([name, covers]) => ({
    ...(rows.find((row) => row.name === name) ?? defaultFlag(name)),
    covers,
  }));
  const features = rows.filter(({ kind }) => kind === "feature");
  return {
    items: [...switches, ...features.map((row) => ({ ...row, covers: null }))],
    inForce: await isInRedis(ctx, "flags", version),
  };
}

function defaultFlag(name: string): FlagRow {
  const isSwitch = isRouteGroup(name);
  const kind = isSwitch ? ("kill_switch" as const) : ("feature" as const);
  return { name, kind, enabled: isSwitch, isPublic: false, percentage: 100, users: [] };
}

/** The flag before and after. Throws `validation_failed`, also for turning off a flag that does not exist (a typo). */
export async function previewFlagChange(
  ctx: Context,
  name: string,
  change: FlagChange,
): Promise<{ before: FlagRow; after: FlagRow }> {
  const { version, rows } = (await readRecorded(ctx)).flags;
  const known = rows.find((row) => row.name === name);
  if (!known && !change.enabled && !isRouteGroup(name)) {
    const names = new Set([...Object.keys(routeGroups), ...rows.map((row) => row.name)]);
    const choices = [...names].join(", ");
    throw validationError("/name", `There is no flag with this name. Flags: ${choices}.`);
  }
  const before = known ?? defaultFlag(name);
  const { enabled, isPublic, percentage, users } = change;
  const targets = isPublic !== undefined || percentage !== undefined || users !== undefined;
  if (before.kind === "kill_switch" && targets) {
    throw validationError("/percentage", "A kill switch can only be on or off for all callers.");
  }
  const after = {
    ...before,
    enabled,
    isPublic: isPublic ?? before.isPublic,
    // A new feature for named users is for them alone.
    percentage: percentage ?? (!known && users ? 0 : before.percentage),
    users: users ?? before.users,
  };
  const others = rows.filter((row) => row.name !== name);
  if (Buffer.byteLength(flagsText(version, [...others, after])) > mirrorBytesMax) {
    throw validationError(
      "/users",
      "The flags would be too large: every request reads all of them.",
    );
  }
  return { before, after };
}

/**
 * Takes effect with the next request; while Redis is down within 3 s. Safe to repeat: without a difference it writes only
 * to Redis.
 */
export async function setFlag(
  ctx: Context,
  { before, after }: { before: FlagRow; after: FlagRow },
  by: OperatorAct,
): Promise<void> {
  if (!isDeepStrictEqual(before, after)) await recordFlag(ctx, after, by);
  await copyChangeToRedis(ctx);
}

/** Null without such a flag. Throws `validation_failed` for a kill switch. */
export async function findFeature(ctx: Context, name: string): Promise<FlagRow | null> {
  if (isRouteGroup(name)) {
    throw validationError(
      "/name",
      "A kill switch cannot be deleted. Use `flag on` and `flag off`.",
    );
  }
  const { rows } = (await readRecorded(ctx)).flags;
  return rows.find((row) => row.name === name) ?? null;
}

/** The feature is then off for all. Takes effect as `setFlag` does. Audited. Safe to repeat. */
export async function deleteFlag(ctx: Context, flag: FlagRow, by: OperatorAct): Promise<void> {
  const { name } = flag;
  await ctx.db.batch([
    raiseVersion(ctx),
    ctx.db.delete(flags).where(eq(flags.name, name)),
    auditRow(ctx, { ...by, action: "flag.deleted", subjectId: `${name}:${flagState(flag)}` }),
  ]);
  await copyChangeToRedis(ctx);
}

/** `off`, `on`, `on for 50 % and 2 named users, also signed out`. */
export function flagState({ enabled, percentage, users, isPublic }: FlagRow): string {
  if (!enabled) return "off";
  const named = users.length === 1 ? "1 named user" : `${users.length} named users`;
  const share = `${percentage} %${users.length > 0 ? ` and ${named}` : ""}`;
  return `on${percentage < 100 ? ` for ${share}` : ""}${isPublic ? ", also signed out" : ""}`;
}

async function recordFlag(ctx: Context, flag: FlagRow, by: OperatorAct): Promise<void> {
  const { name, kind, enabled, isPublic, percentage, users } = flag;
  const set = { enabled, isPublic, percentage, users, updatedBy: by.actor.id, updatedAt: ctx.now };
  await ctx.db.batch([
    raiseVersion(ctx),
    ctx.db
      .insert(flags)
      .values({ name, kind, ...set })
      .onConflictDoUpdate({
        target: flags.name,
        set: { ...set, version: sql`${flags.version} + 1` },
      }),
    auditRow(ctx, { ...by, action: "flag.changed", subjectId: `${name}:${flagState(flag)}` }),
  ]);
}

const raiseVersion = ({ db }: Context) =>
  db
    .update(mirrorVersions)
    .set({ version: sql`${mirrorVersions.version} + 1` })
    .where(sql`name = 'flags'`);

function validationError(pointer: string, message: string): AppError {
  return new AppError("validation_failed", {
    fields: [{ pointer, code: "not_possible", message }],
  });
}

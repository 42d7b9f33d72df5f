import { sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { flags, mirrorVersions } from "../db/schema/gate.js";
import { AppError } from "../errors.js";
import { type FlagRow, flagsText, mirrorBytesMax } from "./flags.js";
import { copyChangeToRedis } from "./mirror.js";
import { readRecorded } from "./recorded-rules.js";
import { isRouteGroup, routeGroups } from "./route-groups.js";

export const FlagName = z.string().regex(/^[a-z][a-z0-9_-]{1,39}$/);

export const FlagDetails = z.strictObject({
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
export type FlagDetails = z.infer<typeof FlagDetails>;

export const FlagChange = {
  enabled: z.boolean(),
  isPublic: z.boolean().optional(),
  percentage: z.int().min(0).max(100).optional(),
  users: z.array(z.uuid()).max(100).optional(),
};
export type FlagChange = z.infer<z.ZodObject<typeof FlagChange>>;

export async function listFlags(ctx: Context): Promise<FlagDetails[]> {
  const { rows } = (await readRecorded(ctx)).flags;
  const switches = Object.entries(routeGroups).map(([name, covers]) => ({
    ...(rows.find((row) => row.name === name) ?? defaultFlag(name)),
    covers,
  }));
  const features = rows.filter(({ kind }) => kind === "feature");
  return [...switches, ...features.map((row) => ({ ...row, covers: null }))];
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
    percentage: percentage ?? before.percentage,
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

/** Takes effect with the next request; while Redis is down within 3 s. Safe to repeat; each call writes an audit row. */
export async function setFlag(
  ctx: Context,
  { name, kind, enabled, isPublic, percentage, users }: FlagRow,
  by: OperatorAct,
): Promise<void> {
  const set = { enabled, isPublic, percentage, users, updatedBy: by.actor.id, updatedAt: ctx.now };
  await ctx.db.batch([
    ctx.db
      .update(mirrorVersions)
      .set({ version: sql`${mirrorVersions.version} + 1` })
      .where(sql`name = 'flags'`),
    ctx.db
      .insert(flags)
      .values({ name, kind, ...set })
      .onConflictDoUpdate({
        target: flags.name,
        set: { ...set, version: sql`${flags.version} + 1` },
      }),
    auditRow(ctx, {
      ...by,
      action: "flag.changed",
      subjectId: `${name}:${enabled ? "on" : "off"}`,
    }),
  ]);
  await copyChangeToRedis(ctx);
}

function validationError(pointer: string, message: string): AppError {
  return new AppError("validation_failed", {
    fields: [{ pointer, code: "not_possible", message }],
  });
}

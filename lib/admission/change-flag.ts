import { sql } from "drizzle-orm";
import * as z from "zod";
import { auditRow, type OperatorAct } from "../audit/audit.js";
import type { Context } from "../context.js";
import { flags, mirrorVersions } from "../db/schema/gate.js";
import { AppError } from "../errors.js";
import { type FlagRow, flagsText, mirrorBytesMax } from "./flags.js";
import { mirrorChange } from "./mirror.js";
import { readRecorded } from "./recorded-rules.js";
import { isRouteGroup, routeGroups } from "./route-groups.js";

export const FlagName = z.string().regex(/^[a-z][a-z0-9_-]{1,39}$/);

export const FlagShown = z.strictObject({
  name: z.string(),
  kind: z.enum(["kill_switch", "feature"]),
  enabled: z.boolean(),
  /** Of a feature: told to who is not signed in, too. */
  isPublic: z.boolean(),
  percentage: z.int(),
  users: z.array(z.string()),
  /** What goes with a kill switch. */
  covers: z.string().nullable(),
});
export type FlagShown = z.infer<typeof FlagShown>;

/** What may be said of a flag; what is left out stays as it is. */
export const FlagChange = {
  enabled: z.boolean(),
  isPublic: z.boolean().optional(),
  percentage: z.int().min(0).max(100).optional(),
  users: z.array(z.uuid()).max(100).optional(),
};
export type FlagChange = z.infer<z.ZodObject<typeof FlagChange>>;

/** Every flag: the kill switches of all groups, and the features that somebody has made. */
export async function listFlags(ctx: Context): Promise<FlagShown[]> {
  const { rows } = (await readRecorded(ctx)).flags;
  const switches = Object.entries(routeGroups).map(([name, covers]) => ({
    ...(rows.find((row) => row.name === name) ?? unset(name)),
    covers,
  }));
  const features = rows.filter(({ kind }) => kind === "feature");
  return [...switches, ...features.map((row) => ({ ...row, covers: null }))];
}

/** A flag that nobody has set: a kill switch is on, a feature is for nobody. */
export function unset(name: string): FlagRow {
  const isSwitch = isRouteGroup(name);
  const kind = isSwitch ? ("kill_switch" as const) : ("feature" as const);
  return { name, kind, enabled: isSwitch, isPublic: false, percentage: 100, users: [] };
}

/**
 * What the flag would be after the change. Throws `validation_failed` for what a kill switch cannot be,
 * and for switching off what nobody has made, which is a slip of the pen.
 */
export async function planFlag(
  ctx: Context,
  name: string,
  change: FlagChange,
): Promise<{ before: FlagRow; after: FlagRow }> {
  const { version, rows } = (await readRecorded(ctx)).flags;
  const known = rows.find((row) => row.name === name);
  if (!known && !change.enabled && !isRouteGroup(name)) {
    const names = new Set([...Object.keys(routeGroups), ...rows.map((row) => row.name)]);
    const choices = [...names].join(", ");
    throw refused("/enabled", `There is nothing of that name to switch off: ${choices}.`);
  }
  const before = known ?? unset(name);
  const { enabled, isPublic, percentage, users } = change;
  const targets = isPublic !== undefined || percentage !== undefined || users !== undefined;
  if (before.kind === "kill_switch" && targets) {
    throw refused("/percentage", "A kill switch is on or off, for everybody.");
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
    throw refused("/users", "All flags together would weigh too much on every request.");
  }
  return { before, after };
}

/**
 * Set a flag, from the next request on; while Redis is away, within three seconds of its instances'
 * own reading. Setting it twice is harmless.
 */
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
  await mirrorChange(ctx);
}

function refused(pointer: string, message: string): AppError {
  return new AppError("validation_failed", {
    fields: [{ pointer, code: "not_possible", message }],
  });
}

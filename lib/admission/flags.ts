import { createHash } from "node:crypto";
import * as z from "zod";
import { isRouteGroup, type RouteGroup } from "./route-groups.js";

/** A feature of the app. */
const Feature = z.strictObject({
  on: z.boolean(),
  public: z.boolean(),
  percentage: z.int().min(0).max(100),
  users: z.array(z.string()),
});
export type Feature = z.infer<typeof Feature>;

const Mirrored = z.strictObject({
  version: z.int(),
  /** The groups of routes that are switched off. */
  off: z.array(z.string()),
  features: z.record(z.string(), Feature),
});

/** Every flag, as far as it decides anything. */
export interface Flags {
  off: ReadonlySet<RouteGroup>;
  features: Readonly<Record<string, Feature>>;
}

export const noFlags: Flags = { off: new Set(), features: {} };

/** A row of the table, as far as it decides anything. */
export interface FlagRow {
  name: string;
  kind: "kill_switch" | "feature";
  enabled: boolean;
  isPublic: boolean;
  percentage: number;
  users: string[];
}

/** More would weigh on every request, which reads the whole text. */
export const mirrorBytesMax = 8192;

/** The text that Redis holds of the flags: the same rows always make the same text. */
export function flagsText(version: number, rows: FlagRow[]): string {
  const sorted = rows.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const off = sorted.filter(({ kind, enabled }) => kind === "kill_switch" && !enabled);
  const features = sorted.filter(({ kind }) => kind === "feature");
  return JSON.stringify({
    version,
    off: off.map(({ name }) => name),
    features: Object.fromEntries(
      features.map(({ name, enabled, isPublic, percentage, users }) => [
        name,
        { on: enabled, public: isPublic, percentage, users },
      ]),
    ),
  } satisfies z.infer<typeof Mirrored>);
}

let latest: { text: string; flags: Flags | null } | undefined;

/** The flags of such a text; null for what is none, as when somebody wrote it by hand. */
export function parseFlags(text: string): Flags | null {
  // Every request brings the same text until somebody changes a flag.
  if (latest?.text !== text) latest = { text, flags: read(text) };
  return latest.flags;
}

function read(text: string): Flags | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { data } = Mirrored.safeParse(value);
  return data ? { off: new Set(data.off.filter(isRouteGroup)), features: data.features } : null;
}

/**
 * Whether somebody has a feature. Who has it at one percentage has it at each higher one. Who is not
 * signed in has only what is public and on for everybody.
 */
export function isOn(name: string, feature: Feature, userId: string | undefined): boolean {
  if (!feature.on) return false;
  if (userId === undefined) return feature.public && feature.percentage === 100;
  return feature.users.includes(userId) || shareOf(name, userId) < feature.percentage;
}

/** Where somebody stands between 0 and 100, differently for each flag and always the same. */
function shareOf(name: string, userId: string): number {
  const digest = createHash("sha256").update(`${name}:${userId}`).digest();
  return (digest.readUInt32BE(0) / 2 ** 32) * 100;
}

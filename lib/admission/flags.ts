import { createHash } from "node:crypto";
import * as z from "zod";
import { isRouteGroup, type RouteGroup } from "./route-groups.js";

const Feature = z.strictObject({
  on: z.boolean(),
  public: z.boolean(),
  percentage: z.int().min(0).max(100),
  users: z.array(z.string()),
});
export type Feature = z.infer<typeof Feature>;

const Mirrored = z.strictObject({
  version: z.int(),
  off: z.array(z.string()),
  features: z.record(z.string(), Feature),
});

export interface Flags {
  off: ReadonlySet<RouteGroup>;
  features: Readonly<Record<string, Feature>>;
}

export const noFlags: Flags = { off: new Set(), features: {} };

export interface FlagRow {
  name: string;
  kind: "kill_switch" | "feature";
  enabled: boolean;
  isPublic: boolean;
  percentage: number;
  users: string[];
}

/** Every request reads the whole text. */
export const mirrorBytesMax = 8192;

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

/** Null for invalid text, such as a manual edit. */
export function parseFlags(text: string): Flags | null {
  if (latest?.text !== text) latest = { text, flags: parseText(text) };
  return latest.flags;
}

function parseText(text: string): Flags | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { data } = Mirrored.safeParse(value);
  return data ? { off: new Set(data.off.filter(isRouteGroup)), features: data.features } : null;
}

/** Whether the user has the feature. Raising the percentage never removes it. Anonymous callers need `public` and 100 %. */
export function isOn(name: string, feature: Feature, userId: string | undefined): boolean {
  if (!feature.on) return false;
  if (userId === undefined) return feature.public && feature.percentage === 100;
  return feature.users.includes(userId) || shareOf(name, userId) < feature.percentage;
}

/** A stable number in [0, 100) per flag and user. */
function shareOf(name: string, userId: string): number {
  const digest = createHash("sha256").update(`${name}:${userId}`).digest();
  return (digest.readUInt32BE(0) / 2 ** 32) * 100;
}

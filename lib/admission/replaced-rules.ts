import { isIPv4 } from "node:net";
import { isDeepStrictEqual } from "node:util";
import type { Context } from "../context.js";
import { mirrorMark, replacedKeys } from "../redis/blocks.js";
import { roundTrip } from "../redis/client.js";
import { enforceTimeoutMs } from "../redis/enforce.js";
import { type Feature, type FlagRow, type Flags, flagsText, noFlags, parseFlags } from "./flags.js";
import { readRecorded } from "./recorded-rules.js";
import { type RouteGroup, routeGroups } from "./route-groups.js";

/**
 * The commands that set again what was in force before a restored Postgres was written over it: blocks, kill switches and
 * features. A block has no end in Redis. Rejects while a store is down.
 */
export async function replacedRules(ctx: Context): Promise<string[]> {
  const trip = roundTrip(ctx);
  const [{ flags, blocks }, members, text] = await Promise.all([
    readRecorded(ctx),
    trip.command<string[]>("SMEMBERS", replacedKeys[0]),
    trip.command<string | null>("GET", replacedKeys[1]),
    trip.send({ timeoutMs: enforceTimeoutMs }),
  ]);
  const lost = members.filter((value) => value !== mirrorMark && !blocks.values.includes(value));
  const before = text === null ? null : (parseFlags(text) ?? noFlags);
  return [
    ...lost.toSorted().map(blockCommand),
    ...(before ? flagCommands(before, flags.rows) : []),
  ].map((command) => `npm run ops -- ${command} --reason "in force before the restore"`);
}

/** After the end of the restore. */
export async function forgetReplacedRules(ctx: Context): Promise<void> {
  const trip = roundTrip(ctx);
  await Promise.all([
    trip.command("DEL", ...replacedKeys),
    trip.send({ timeoutMs: enforceTimeoutMs }),
  ]);
}

/** Of its whole value: in Redis a block has no kind. */
function blockCommand(value: string): string {
  const userId = value.startsWith("user:") ? value.slice("user:".length) : undefined;
  if (userId !== undefined) return `block user ${userId} --ttl 1d`;
  const [address = "", bits] = value.split("/");
  const isOneAddress = bits === (isIPv4(address) ? "32" : "128");
  return `block ${isOneAddress ? `ip ${address}` : `cidr ${value}`} --ttl 1d`;
}

function flagCommands(before: Flags, rows: FlagRow[]): string[] {
  const now = parseFlags(flagsText(0, rows)) ?? noFlags;
  const names = Object.keys(routeGroups) as RouteGroup[];
  return [
    ...names
      .filter((name) => before.off.has(name) !== now.off.has(name))
      .map((name) => `flag ${before.off.has(name) ? "off" : "on"} ${name}`),
    ...Object.entries(before.features)
      .filter(([name, feature]) => !isDeepStrictEqual(feature, now.features[name]))
      .map(([name, feature]) => featureCommand(name, feature)),
  ];
}

function featureCommand(name: string, { on, percentage, users, public: isPublic }: Feature) {
  if (!on) return `flag off ${name}`;
  const named = users.length > 0 ? ` --users ${users.join(",")}` : "";
  return `flag set ${name} --percentage ${percentage}${named} --${isPublic ? "public" : "no-public"}`;
}

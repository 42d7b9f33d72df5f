import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { securitySettings } from "../db/schema/accounts.js";
import { blocks, flags, mirrorVersions } from "../db/schema/gate.js";
import { timestamp } from "../db/timestamp.js";
import { rulesUnreadable } from "../observability/log-lines/gate.js";
import { oncePer } from "../once-per.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import { type FlagRow, type Flags, flagsText, noFlags, parseFlags } from "./flags.js";

/** The flags, the blocks and the moment that ends all sessions, as Postgres records them. */
export interface Recorded {
  flags: { version: number; rows: FlagRow[] };
  blocks: { version: number; values: string[] };
  revokeAllBeforeMs: number;
}

/** All in one statement, so that they are of one moment. Rejects when Postgres is away. */
export async function readRecorded(ctx: Context): Promise<Recorded> {
  const { rows } = await ctx.db.execute<
    Record<"versions" | "flags" | "blocks" | "revoke_all_before_ms", string>
  >(sql`
    select
      (select json_object_agg(name, version) from ${mirrorVersions})::text as versions,
      (select coalesce(json_agg(json_build_object('name', name, 'kind', kind, 'enabled', enabled,
          'isPublic', is_public, 'percentage', percentage, 'users', users)), '[]')
        from ${flags})::text as flags,
      (select coalesce(json_agg(value order by value collate "C"), '[]') from ${blocks}
        where ended_at is null and expires_at > ${timestamp(ctx.now)})::text as blocks,
      (select floor(extract(epoch from revoke_all_before) * 1000)::bigint
        from ${securitySettings})::text as revoke_all_before_ms`);
  const [row] = rows;
  if (!row) throw new Error("The flags and blocks were not returned.");
  const versions = JSON.parse(row.versions) as Record<"flags" | "blocks", number>;
  return {
    flags: { version: versions.flags, rows: JSON.parse(row.flags) },
    blocks: { version: versions.blocks, values: JSON.parse(row.blocks) },
    revokeAllBeforeMs: Number(row.revoke_all_before_ms),
  };
}

export interface Rules {
  flags: Flags;
  blocked: ReadonlySet<string>;
  /** The moment before which every session has ended; null before it was first read. */
  revokeAllBeforeMs: number | null;
}

/** How long a process goes by what it has read: a change made meanwhile takes as long to be felt. */
const memoMs = 3000;
/** How long a request waits for it. */
const waitMs = 500;

interface Memory {
  untilMs: number;
  reading: Promise<Rules>;
  known: Rules;
}

/**
 * The rules for requests that Redis cannot tell: at most one statement each 3 s in a process. When
 * Postgres does not answer soon either, what the process has last known holds: at first, that everything
 * is on and nobody is blocked. `isRead` tells the one that has asked. Never rejects.
 */
export async function recordedRules(ctx: Context): Promise<{ rules: Rules; isRead: boolean }> {
  const memory = memories(platform());
  const nowMs = performance.now();
  const isRead = nowMs >= memory.untilMs;
  if (isRead) {
    memory.untilMs = nowMs + memoMs;
    memory.reading = read(ctx, memory);
  }
  const late = sleep(waitMs, memory.known, { ref: false });
  return { rules: await Promise.race([memory.reading, late]), isRead };
}

async function read(ctx: Context, memory: Memory): Promise<Rules> {
  try {
    const { flags: recorded, blocks: standing, revokeAllBeforeMs } = await readRecorded(ctx);
    const parsed = parseFlags(flagsText(recorded.version, recorded.rows));
    const blocked = new Set(standing.values);
    memory.known = { flags: parsed ?? noFlags, blocked, revokeAllBeforeMs };
  } catch (error) {
    rulesUnreadable(ctx.correlationId, error);
  }
  return memory.known;
}

const memories = oncePer((_: Platform): Memory => {
  const known: Rules = { flags: noFlags, blocked: new Set(), revokeAllBeforeMs: null };
  return { untilMs: 0, reading: Promise.resolve(known), known };
});

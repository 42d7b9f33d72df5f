import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { blocks, flags, mirrorVersions, securitySettings } from "../db/schema/gate.js";
import { epochMsOf, timestamp } from "../db/timestamp.js";
import { memoizeByObject } from "../memoize-by-object.js";
import { rulesUnreadable } from "../observability/log-lines/gate.js";
import { platform } from "../platform/installed.js";
import type { Platform } from "../platform/platform.js";
import { type FlagRow, type Flags, flagsText, noFlags, parseFlags } from "./flags.js";

export interface Recorded {
  flags: { version: number; rows: FlagRow[] };
  blocks: { version: number; values: string[] };
  revokeAllBeforeMs: number;
  /** A restore is in progress while it has begun after it was finished. */
  restore: { begunMs: number; finishedMs: number };
}

/** One statement, so that all values are consistent. Rejects when Postgres is down. */
export async function readRecorded(ctx: Context): Promise<Recorded> {
  const { rows } = await ctx.db.execute<
    Record<"versions" | "flags" | "blocks" | "settings", string>
  >(sql`
    select
      (select json_object_agg(name, version) from ${mirrorVersions})::text as versions,
      (select coalesce(json_agg(json_build_object('name', name, 'kind', kind, 'enabled', enabled,
          'isPublic', is_public, 'percentage', percentage, 'users', users)), '[]')
        from ${flags})::text as flags,
      (select coalesce(json_agg(value order by value collate "C"), '[]') from ${blocks}
        where ended_at is null and expires_at > ${timestamp(ctx.now)})::text as blocks,
      (select json_build_object('revokeAllBefore', ${epochMsOf(sql`revoke_all_before`)},
          'begun', ${epochMsOf(sql`restore_begun_at`)}, 'finished', ${epochMsOf(sql`restore_finished_at`)})
        from ${securitySettings})::text as settings`);
  const [row] = rows;
  if (!row) throw new Error("The query for flags and blocks returned no row.");
  const settings = JSON.parse(row.settings) as Record<
    "revokeAllBefore" | "begun" | "finished",
    number
  >;
  const versions = JSON.parse(row.versions) as Record<"flags" | "blocks", number>;
  return {
    flags: { version: versions.flags, rows: JSON.parse(row.flags) },
    blocks: { version: versions.blocks, values: JSON.parse(row.blocks) },
    revokeAllBeforeMs: settings.revokeAllBefore,
    restore: { begunMs: settings.begun, finishedMs: settings.finished },
  };
}

export interface Rules {
  flags: Flags;
  blocked: ReadonlySet<string>;
  revokeAllBeforeMs: number | null;
  isRestoring: boolean;
}

/** How long a process uses what it read; a change takes effect after at most this time. */
const memoMs = 3000;
const waitMs = 500;

interface Memory {
  untilMs: number;
  reading: Promise<Rules>;
  known: Rules;
}

/**
 * At most one query in 3 s per process; without an answer in 500 ms the last known rules hold, at first none. `isRead` is
 * true for the caller that ran the query, even if it failed. Never rejects.
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
    const recorded = await readRecorded(ctx);
    const { flags: ofFlags, blocks: active, revokeAllBeforeMs, restore } = recorded;
    const parsed = parseFlags(flagsText(ofFlags.version, ofFlags.rows));
    const blocked = new Set(active.values);
    const isRestoring = restore.begunMs > restore.finishedMs;
    memory.known = { flags: parsed ?? noFlags, blocked, revokeAllBeforeMs, isRestoring };
  } catch (error) {
    rulesUnreadable(ctx.correlationId, error);
  }
  return memory.known;
}

const memories = memoizeByObject((_: Platform): Memory => {
  const known: Rules = {
    flags: noFlags,
    blocked: new Set(),
    revokeAllBeforeMs: null,
    isRestoring: false,
  };
  return { untilMs: 0, reading: Promise.resolve(known), known };
});

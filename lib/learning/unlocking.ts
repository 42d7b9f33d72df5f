import { type SQL, sql } from "drizzle-orm";
import { lessons } from "../db/schema/content.js";

/**
 * SQL: the lesson `l` is done, or all its prerequisites of this version, or of an earlier one, are: a new version locks
 * nothing again. `p.done` holds the lessons that are completed or tested out.
 */
export const isUnlocked: SQL = sql`(l.id = any(p.done) or exists (
  select from ${lessons} v where v.id = l.id and v.version <= l.version and v.requires <@ p.done))`;

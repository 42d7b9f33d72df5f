import { retireAudit } from "../../audit/retirement.js";
import type { CronPart } from "../cron.js";
import { dropOldDays } from "./access-log-days.js";
import { pruneExpired } from "./expired.js";
import { pruneIdleSessions } from "./idle-sessions.js";

/** The steps of the cleanup that remove what is beyond its age. Each removal is recorded in its own transaction. */
export const retentionParts: readonly CronPart[] = [
  ["drop_old_partitions", (ctx, { endMs }) => dropOldDays(ctx, endMs)],
  ["retire_audit", (ctx, { endMs }) => retireAudit(ctx, endMs), { budgetSeconds: 12 }],
  ["prune_expired", (ctx, { endMs }) => pruneExpired(ctx, endMs), { budgetSeconds: 35 }],
  ["prune_idle_sessions", pruneIdleSessions, { budgetSeconds: 12 }],
];

import { retireAudit } from "../../audit/retirement.js";
import type { CronPart } from "../cron.js";
import { dropOldDays } from "./access-log-days.js";
import { pruneExpired } from "./expired.js";
import { pruneIdleSessions } from "./idle-sessions.js";

/** For the last statement of a part: with a backlog it stops in time, and is no failure. */
const marginMs = 2500;

/** The steps of the cleanup that remove what is beyond its age. Each removal is recorded in its own transaction. */
export const retentionParts: readonly CronPart[] = [
  ["drop_old_partitions", (ctx, { endMs }) => dropOldDays(ctx, endMs - marginMs)],
  ["retire_audit", (ctx, { endMs }) => retireAudit(ctx, endMs - marginMs), { budgetSeconds: 15 }],
  ["prune_expired", (ctx, { endMs }) => pruneExpired(ctx, endMs - marginMs), { budgetSeconds: 60 }],
  [
    "prune_idle_sessions",
    (ctx, { lease, endMs }) => pruneIdleSessions(ctx, { lease, endMs: endMs - marginMs }),
    { budgetSeconds: 15 },
  ],
];

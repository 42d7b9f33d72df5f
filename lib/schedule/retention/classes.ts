import type { Env } from "../../env.js";

/** How data of a class goes: `rows` in batches, oldest first. */
type Removal = "partitions" | "sealed segments" | "rows";

/** A table from which rows are deleted by the age of a column that has an index. */
export interface AgedRows {
  table: string;
  column: string;
  /** The column is in ms since the epoch. */
  inMs?: true;
  /** The condition of a partial index. */
  only?: string;
}

export interface RetentionClass {
  /** Also the label of the metric. */
  name: string;
  holds: string;
  /** Counted from `since`. Days have 24 hours. */
  keptHours: (env: Env) => number;
  since: string;
  setBy?: "ACCESS_LOG_RETENTION_DAYS" | "AUDIT_RETENTION_DAYS";
  removal: Removal;
  /** Undefined for a class with code of its own. */
  rows?: AgedRows;
}

const days = (count: number) => () => 24 * count;
/** The database function that deletes audit rows has the same minimum. */
const auditHours = ({ audit }: Env) => 24 * Math.max(30, audit.retentionDays);
/** At least as long as the audit log: together they are the timeline of an incident. */
const incidentHours = ({ audit }: Env) => 24 * Math.max(90, audit.retentionDays);

const rows = (
  name: string,
  holds: string,
  keptHours: RetentionClass["keptHours"],
  since: string,
  column: string,
  more: Partial<AgedRows> & Pick<RetentionClass, "setBy"> = {},
): RetentionClass => {
  const { setBy, ...aged } = more;
  return {
    name,
    holds,
    keptHours,
    since,
    removal: "rows",
    rows: { table: name, column, ...aged },
    ...(setBy && { setBy }),
  };
};

/** Every class of data with an age at which it goes: the cleanup removes by this table, and operators read it. */
export const retentionClasses: readonly RetentionClass[] = [
  {
    name: "access_log",
    holds: "requests: route, status, hashed user, IP prefix",
    keptHours: ({ telemetry }) => 24 * telemetry.accessLogRetentionDays,
    since: "the end of its day",
    setBy: "ACCESS_LOG_RETENTION_DAYS",
    removal: "partitions",
  },
  {
    name: "audit_log",
    holds: "who changed what, by ID; the seals stay",
    keptHours: auditHours,
    since: "its seal",
    setBy: "AUDIT_RETENTION_DAYS",
    removal: "sealed segments",
  },
  {
    name: "sessions_expired",
    holds: "sessions that expired, with device and IP prefix",
    keptHours: auditHours,
    since: "expiry",
    setBy: "AUDIT_RETENTION_DAYS",
    removal: "rows",
  },
  rows("sessions", "sessions that were revoked", auditHours, "revocation", "revoked_at", {
    only: "revoked_at is not null",
    setBy: "AUDIT_RETENTION_DAYS",
  }),
  rows("alert_transitions", "when alerts fired", incidentHours, "the change", "minute", {
    setBy: "AUDIT_RETENTION_DAYS",
  }),
  // They hold full IP addresses.
  rows("security_events", "attacks, with full IP address", days(30), "the event", "at"),
  rows("webhook_events", "IDs of webhook deliveries", days(30), "receipt", "received_at"),
  rows("blocks", "blocks that ended, with IP address", days(30), "expiry", "expires_at"),
  rows("unusual_usage", "unusual use, by hashed user", days(30), "the hour", "hour"),
  rows("cron_runs", "runs of the cron jobs", days(30), "its slot", "slot"),
  rows("backup_canaries", "rows that prove a restore", days(40), "the hour", "at"),
  // Longer than the year of an audit.
  rows("restore_drills", "restore drills that ended", days(400), "their start", "started_at", {
    only: "finished_at is not null",
  }),
  rows("telemetry_minutes", "counters per minute", days(35), "the minute", "minute"),
  rows("drained_batches", "marks of drained batches", days(2), "the drain", "drained_at"),
  rows("idempotency_keys", "results of repeated requests", days(7), "creation", "created_at"),
  rows("queue_entries", "jobs that are done", days(7), "completion", "done_at", {
    only: "done_at is not null",
  }),
  {
    ...rows("queue_entries_expired", "mails and notices not sent", days(1), "expiry", "expires_at"),
    rows: { table: "queue_entries", column: "expires_at" },
  },
  rows("mail_codes", "codes in mails", () => 1, "expiry", "expires_at"),
  rows("email_changes", "changes of address", () => 1, "the time to undo", "expires_at"),
  rows("mail_budgets", "mails per hashed address", days(2), "the last mail", "last_admitted_at"),
  rows("rate_limits", "limits counted in Postgres", () => 1, "the window", "resets_at_ms", {
    inMs: true,
  }),
  rows("login_delays", "delays of sign-ins", () => 1, "expiry", "expires_at_ms", { inMs: true }),
  // Longer than the year of an audit.
  rows("retention_removals", "this report of removals", days(400), "the removal", "at"),
];

export function retentionClass(name: string): RetentionClass {
  const found = retentionClasses.find((each) => each.name === name);
  if (!found) throw new Error(`Unknown retention class: ${name}`);
  return found;
}

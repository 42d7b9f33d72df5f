import type { Rule } from "../rule.js";

/** Fewer are invalid addresses; this many mean a wrong key or a problem with our sender domain. */
export const failedMailsMin = 5;

export const backgroundRules = [
  {
    name: "DrainStalled",
    summary: "The event drain lag is over 180 s: metrics and alerts are out of date",
    condition: { kind: "gauge", metric: "telemetry_drain_lag_seconds", compare: ">", value: 180 },
    forMinutes: 0,
    resolveMinutes: 1,
    priority: "P2",
    channel: "team",
    // The drain reads from Redis.
    inhibitedBy: ["RedisDown"],
  },
  {
    name: "CronMissed",
    summary: "The cron job {label} has not succeeded for more than two of its periods",
    condition: {
      kind: "age",
      metric: "cron_last_success_timestamp_seconds",
      since: "cron_first_due_timestamp_seconds",
      excused: "cron_outage_seconds",
      by: "job",
      periods: 2,
      periodSeconds: {
        tick: 60,
        cleanup: 3600,
        "backup-check": 86_400,
        "restore-drill": 31 * 86_400,
      },
    },
    forMinutes: 0,
    resolveMinutes: 1,
    priority: "P3",
    channel: "investigate",
  },
  {
    name: "BackupUnsafe",
    summary: "The backup check {label} fails",
    condition: { kind: "gauge", metric: "backup_unsafe", compare: ">=", value: 1, by: "check" },
    forMinutes: 0,
    resolveMinutes: 0,
    priority: "P2",
    channel: "team",
  },
  {
    name: "RestoreDrillFailed",
    summary: "The restore drill failed in the part {label}",
    condition: {
      kind: "gauge",
      metric: "restore_drill_failed",
      compare: ">=",
      value: 1,
      by: "part",
    },
    forMinutes: 0,
    resolveMinutes: 0,
    priority: "P2",
    channel: "team",
  },
  {
    name: "DeadLetters",
    summary: "There are dead letters in the queue {label}",
    condition: {
      kind: "any",
      of: [
        {
          kind: "gauge",
          metric: "dead_letters",
          where: { queue: { matches: "jobs" } },
          compare: ">=",
          value: 1,
          by: "queue",
        },
        {
          kind: "gauge",
          metric: "dead_letters",
          where: { queue: { matches: "mail" } },
          compare: ">=",
          value: failedMailsMin,
          by: "queue",
        },
      ],
    },
    forMinutes: 0,
    resolveMinutes: 1,
    priority: "P3",
    channel: "investigate",
  },
  {
    name: "PagerUndelivered",
    summary: "Notices of the channel {label} are undelivered for over 5 min or were rejected",
    condition: {
      kind: "gauge",
      metric: "notice_unsent_seconds",
      compare: ">",
      value: 300,
      by: "channel",
    },
    forMinutes: 0,
    resolveMinutes: 1,
    priority: "P2",
    channel: "other",
  },
] as const satisfies readonly Rule[];

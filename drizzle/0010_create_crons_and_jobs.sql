-- Who holds a job of the clock, and which slot was done last: the row that its deliveries meet on.
CREATE TABLE cron_leases (
  job text PRIMARY KEY,
  token integer NOT NULL,
  slot timestamptz NOT NULL,
  held_until timestamptz NOT NULL,
  done_slot timestamptz
);
--> statement-breakpoint
CREATE TABLE cron_runs (
  job text NOT NULL,
  slot timestamptz NOT NULL,
  token integer NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  failed_parts text[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (job, slot)
);
--> statement-breakpoint
CREATE INDEX cron_runs_slot_idx ON cron_runs (slot);
--> statement-breakpoint
CREATE TABLE cron_cursors (
  name text PRIMARY KEY,
  position text NOT NULL
);
--> statement-breakpoint
CREATE TABLE jobs (
  id uuid PRIMARY KEY,
  kind text NOT NULL,
  key text NOT NULL UNIQUE,
  payload jsonb NOT NULL,
  correlation_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  run_after timestamptz NOT NULL DEFAULT now(),
  attempts smallint NOT NULL DEFAULT 0,
  leased_until timestamptz,
  done_at timestamptz,
  dead_at timestamptz,
  last_error text
);
--> statement-breakpoint
CREATE INDEX jobs_due_idx ON jobs (run_after) WHERE done_at IS NULL AND dead_at IS NULL;
--> statement-breakpoint
CREATE INDEX jobs_done_at_idx ON jobs (done_at) WHERE done_at IS NOT NULL;
--> statement-breakpoint
CREATE INDEX jobs_dead_at_idx ON jobs (dead_at) WHERE dead_at IS NOT NULL;
--> statement-breakpoint
CREATE INDEX outbox_failed_at_idx ON outbox (failed_at) WHERE failed_at IS NOT NULL;
--> statement-breakpoint
CREATE INDEX webhook_events_received_at_idx ON webhook_events (received_at);
--> statement-breakpoint
CREATE INDEX mail_budgets_last_admitted_at_idx ON mail_budgets (last_admitted_at);

LOCK TABLE queue_entries IN ACCESS EXCLUSIVE MODE;
--> statement-breakpoint
DROP VIEW outbox, jobs;
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
INSERT INTO jobs
SELECT id, kind, key, payload, correlation_id, created_at, run_after, attempts,
  leased_until, done_at, dead_at, last_error
FROM queue_entries WHERE key IS NOT NULL;
--> statement-breakpoint
DELETE FROM queue_entries WHERE key IS NOT NULL;
--> statement-breakpoint
CREATE INDEX jobs_due_idx ON jobs (run_after) WHERE done_at IS NULL AND dead_at IS NULL;
--> statement-breakpoint
CREATE INDEX jobs_done_at_idx ON jobs (done_at) WHERE done_at IS NOT NULL;
--> statement-breakpoint
CREATE INDEX jobs_dead_at_idx ON jobs (dead_at) WHERE dead_at IS NOT NULL;
--> statement-breakpoint
DROP INDEX queue_entries_done_at_idx;
--> statement-breakpoint
DROP INDEX queue_entries_due_idx;
--> statement-breakpoint
ALTER TABLE queue_entries
  DROP COLUMN done_at,
  DROP COLUMN leased_until,
  DROP COLUMN key,
  ALTER COLUMN expires_at SET NOT NULL,
  ALTER COLUMN run_after DROP DEFAULT,
  ALTER COLUMN created_at DROP DEFAULT;
--> statement-breakpoint
ALTER TABLE queue_entries RENAME COLUMN dead_at TO failed_at;
--> statement-breakpoint
ALTER TABLE queue_entries RENAME TO outbox;
--> statement-breakpoint
ALTER INDEX queue_entries_pkey RENAME TO outbox_pkey;
--> statement-breakpoint
ALTER INDEX queue_entries_expires_at_idx RENAME TO outbox_expires_at_idx;
--> statement-breakpoint
ALTER INDEX queue_entries_dead_at_idx RENAME TO outbox_failed_at_idx;
--> statement-breakpoint
CREATE INDEX outbox_due_idx ON outbox (run_after) WHERE send AND failed_at IS NULL;
--> statement-breakpoint
CREATE INDEX outbox_notices_idx ON outbox (run_after) WHERE kind = 'notice';

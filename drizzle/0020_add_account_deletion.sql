-- Every sign-in reads users: waiting for a lock would hold them all up. The migration can be repeated.
SET LOCAL lock_timeout = '2s';
--> statement-breakpoint
-- Receipts. No foreign key: the account is gone.
CREATE TABLE erasures (
  user_id uuid PRIMARY KEY,
  erased_at timestamptz NOT NULL
);
--> statement-breakpoint
CREATE INDEX erasures_erased_at_idx ON erasures (erased_at);
--> statement-breakpoint
-- A restore is in progress while it has begun after it was last finished.
ALTER TABLE security_settings
  ADD COLUMN restore_begun_at timestamptz NOT NULL DEFAULT 'epoch',
  ADD COLUMN restore_finished_at timestamptz NOT NULL DEFAULT 'epoch';
--> statement-breakpoint
-- An account without a row accepted version 1 at users.accepted_terms_at.
CREATE TABLE consents (
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind text NOT NULL,
  version text NOT NULL,
  accepted_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, kind, version)
);
--> statement-breakpoint
-- Last, so that the strongest lock is held for the shortest time.
ALTER TABLE users ADD COLUMN deletion_id uuid;

ALTER TABLE users ADD COLUMN deletion_id uuid;
--> statement-breakpoint
CREATE INDEX users_purge_at_idx ON users (purge_at) WHERE purge_at IS NOT NULL;
--> statement-breakpoint
CREATE UNIQUE INDEX users_deletion_id_key ON users (deletion_id) WHERE deletion_id IS NOT NULL;
--> statement-breakpoint
-- Deleting an account looks for the guests that were merged into it.
CREATE INDEX users_merged_into_idx ON users (merged_into) WHERE merged_into IS NOT NULL;
--> statement-breakpoint
-- An export reads the entries of one user in the order of the primary key.
DROP INDEX xp_entries_user_idx;
--> statement-breakpoint
CREATE INDEX xp_entries_user_idx ON xp_entries (user_id, source, source_id);
--> statement-breakpoint
CREATE TABLE consents (
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  kind text NOT NULL,
  version text NOT NULL,
  accepted_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, kind, version)
);
--> statement-breakpoint
INSERT INTO consents (user_id, kind, version, accepted_at)
SELECT id, 'terms', '1', accepted_terms_at FROM users WHERE accepted_terms_at IS NOT NULL;
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

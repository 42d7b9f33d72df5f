ALTER TABLE users
  ADD COLUMN is_guest boolean NOT NULL DEFAULT false,
  ADD COLUMN suspended_at timestamptz,
  ADD COLUMN purge_at timestamptz,
  ADD COLUMN merged_into uuid REFERENCES users (id) ON DELETE SET NULL,
  ADD COLUMN previous_time_zone text,
  ADD COLUMN time_zone_from timestamptz,
  ADD COLUMN time_zone_changed_at timestamptz;
--> statement-breakpoint
-- redis_generation stays: the release before this one goes on writing it while both run.
ALTER TABLE sessions
  ADD COLUMN rotation_hash text,
  ADD COLUMN concurrent_hashes text[],
  ADD COLUMN rotated_at timestamptz,
  ADD COLUMN rotated_device text,
  ADD COLUMN repeated_at timestamptz,
  ADD COLUMN repeated_counter integer,
  ADD COLUMN country text;
--> statement-breakpoint
-- A refresh then changes no indexed column, and finds room beside the row (a heap-only update).
DROP INDEX sessions_idle_expires_at_idx;
--> statement-breakpoint
ALTER TABLE sessions SET (fillfactor = 80);
--> statement-breakpoint
CREATE INDEX sessions_user_device_idx ON sessions (user_id, device_id);
--> statement-breakpoint
CREATE INDEX sessions_revoked_at_idx ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
--> statement-breakpoint
CREATE TABLE security_settings (
  id boolean PRIMARY KEY DEFAULT true CHECK (id),
  revoke_all_before timestamptz NOT NULL DEFAULT 'epoch'
);
--> statement-breakpoint
INSERT INTO security_settings DEFAULT VALUES;

DROP TABLE security_settings;
--> statement-breakpoint
DROP INDEX sessions_revoked_at_idx;
--> statement-breakpoint
DROP INDEX sessions_user_device_idx;
--> statement-breakpoint
ALTER TABLE sessions RESET (fillfactor);
--> statement-breakpoint
CREATE INDEX sessions_idle_expires_at_idx ON sessions (idle_expires_at);
--> statement-breakpoint
ALTER TABLE sessions
  DROP COLUMN rotation_hash,
  DROP COLUMN concurrent_hashes,
  DROP COLUMN rotated_at,
  DROP COLUMN rotated_device,
  DROP COLUMN repeated_at,
  DROP COLUMN repeated_counter,
  DROP COLUMN country;
--> statement-breakpoint
ALTER TABLE users
  DROP COLUMN is_guest,
  DROP COLUMN suspended_at,
  DROP COLUMN purge_at,
  DROP COLUMN merged_into,
  DROP COLUMN previous_time_zone,
  DROP COLUMN time_zone_from,
  DROP COLUMN time_zone_changed_at;

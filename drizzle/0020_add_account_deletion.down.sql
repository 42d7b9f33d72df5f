ALTER TABLE security_settings DROP COLUMN restore_begun_at, DROP COLUMN restore_finished_at;
--> statement-breakpoint
DROP TABLE erasures;
--> statement-breakpoint
DROP TABLE consents;
--> statement-breakpoint
DROP INDEX xp_entries_user_idx;
--> statement-breakpoint
CREATE INDEX xp_entries_user_idx ON xp_entries (user_id);
--> statement-breakpoint
DROP INDEX users_merged_into_idx;
--> statement-breakpoint
DROP INDEX users_deletion_id_key;
--> statement-breakpoint
DROP INDEX users_purge_at_idx;
--> statement-breakpoint
ALTER TABLE users DROP COLUMN deletion_id;

ALTER TABLE security_settings DROP COLUMN restore_begun_at, DROP COLUMN restore_finished_at;
--> statement-breakpoint
DROP TABLE erasures;
--> statement-breakpoint
DROP TABLE consents;
--> statement-breakpoint
ALTER TABLE users DROP COLUMN deletion_id;

ALTER TABLE security_settings DROP COLUMN erasures_handed_over_at;
--> statement-breakpoint
DROP TABLE restored_erasures;

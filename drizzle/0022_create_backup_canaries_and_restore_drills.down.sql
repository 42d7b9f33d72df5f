DROP TABLE restore_drills;
--> statement-breakpoint
DROP TABLE backup_canaries;

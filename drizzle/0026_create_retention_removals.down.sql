DROP FUNCTION drop_access_log_partition(timestamptz, text);
--> statement-breakpoint
DROP TABLE retention_removals;

DROP TABLE unusual_usage;
--> statement-breakpoint
DROP FUNCTION drop_access_log_partitions(integer);
--> statement-breakpoint
DROP FUNCTION ensure_access_log_partitions(integer);
--> statement-breakpoint
DROP TABLE access_log;
--> statement-breakpoint
DROP SEQUENCE access_log_id_seq;
--> statement-breakpoint
DROP TABLE drained_batches;
--> statement-breakpoint
DROP TABLE drain_state;
--> statement-breakpoint
DROP TABLE telemetry_gauges;
--> statement-breakpoint
DROP TABLE telemetry_minutes;
--> statement-breakpoint
DROP TABLE telemetry_totals;

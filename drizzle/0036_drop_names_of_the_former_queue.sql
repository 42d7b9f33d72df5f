-- Since 0017 no release uses these views, and since 0026 none this function.
DROP VIEW outbox, jobs;
--> statement-breakpoint
DROP FUNCTION drop_access_log_partitions(integer);

DROP INDEX mail_budgets_last_admitted_at_idx;
--> statement-breakpoint
DROP INDEX webhook_events_received_at_idx;
--> statement-breakpoint
DROP INDEX outbox_failed_at_idx;
--> statement-breakpoint
DROP TABLE jobs;
--> statement-breakpoint
DROP TABLE cron_cursors;
--> statement-breakpoint
DROP TABLE cron_runs;
--> statement-breakpoint
DROP TABLE cron_leases;

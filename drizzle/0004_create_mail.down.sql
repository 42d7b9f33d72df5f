DROP TABLE email_changes;
--> statement-breakpoint
DROP TABLE webhook_events;
--> statement-breakpoint
DROP TABLE suppressed_addresses;
--> statement-breakpoint
DROP TABLE outbox;
--> statement-breakpoint
DROP TABLE mail_budgets;
--> statement-breakpoint
DROP TABLE mail_codes;

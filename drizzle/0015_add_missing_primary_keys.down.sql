ALTER TABLE access_log DROP CONSTRAINT access_log_pkey;
--> statement-breakpoint
ALTER TABLE alert_transitions ADD CONSTRAINT alert_transitions_key_minute_key UNIQUE (key, minute);
--> statement-breakpoint
ALTER TABLE alert_transitions DROP CONSTRAINT alert_transitions_pkey;

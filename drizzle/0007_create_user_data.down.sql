DROP TABLE login_delays;
--> statement-breakpoint
DROP TABLE idempotency_keys;
--> statement-breakpoint
DROP TABLE xp_entries;
--> statement-breakpoint
DROP TABLE preferences;

DROP INDEX outbox_notices_idx;
--> statement-breakpoint
DROP INDEX telemetry_minutes_security_idx;
--> statement-breakpoint
DROP INDEX audit_log_at_idx;
--> statement-breakpoint
DROP TABLE incident_notes;
--> statement-breakpoint
DROP TABLE incidents;
--> statement-breakpoint
DROP TABLE alert_silences;
--> statement-breakpoint
DROP TABLE alert_clock;
--> statement-breakpoint
DROP TABLE alert_samples;
--> statement-breakpoint
DROP TABLE alert_transitions;
--> statement-breakpoint
DROP TABLE alerts;

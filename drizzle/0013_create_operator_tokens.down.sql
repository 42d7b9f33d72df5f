DROP INDEX audit_log_correlation_idx;
--> statement-breakpoint
DROP INDEX security_events_ip_idx;
--> statement-breakpoint
DROP INDEX security_events_correlation_idx;
--> statement-breakpoint
DROP INDEX users_operators_idx;
--> statement-breakpoint
DROP TABLE operator_tokens;

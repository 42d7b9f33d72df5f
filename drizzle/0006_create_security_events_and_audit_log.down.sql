DROP TABLE audit_log;
--> statement-breakpoint
DROP FUNCTION refuse_audit_change();
--> statement-breakpoint
DROP TABLE security_events;

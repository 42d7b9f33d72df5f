DROP FUNCTION retire_audit_rows(bigint, integer);
--> statement-breakpoint
DROP TABLE audit_retirements;
--> statement-breakpoint
DROP TABLE audit_seals;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
--> statement-breakpoint
DROP INDEX audit_log_action_idx;

CREATE TABLE audit_seals (
  first_id bigint NOT NULL,
  last_id bigint PRIMARY KEY,
  rows integer NOT NULL,
  hash text NOT NULL,
  previous text NOT NULL UNIQUE,
  hmac text NOT NULL,
  key_id text NOT NULL,
  at timestamptz NOT NULL
);
--> statement-breakpoint
CREATE INDEX audit_seals_at_idx ON audit_seals (at);
--> statement-breakpoint
-- Up to which row the log was dropped because of its age, and how many days that was.
CREATE TABLE audit_retirements (
  last_id bigint PRIMARY KEY,
  age_days integer NOT NULL,
  hmac text NOT NULL,
  key_id text NOT NULL,
  at timestamptz NOT NULL
);
--> statement-breakpoint
CREATE INDEX audit_log_action_idx ON audit_log (action, id DESC);
--> statement-breakpoint
-- The setting is made by retire_audit_rows, for its own duration.
CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit_log'
    AND current_setting('linguamate.audit_retirement', true) = 'on' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
--> statement-breakpoint
CREATE TRIGGER audit_seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
--> statement-breakpoint
CREATE TRIGGER audit_retirements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_retirements
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
--> statement-breakpoint
-- Drops the rows up to the end of a seal that is older than so many days, and never younger ones: it
-- runs with its owner's rights, so a role that may only insert can call it.
CREATE FUNCTION retire_audit_rows(retired_to bigint, age_days integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
  dropped bigint;
BEGIN
  IF age_days < 30 THEN
    RAISE EXCEPTION 'audit rows are kept for 30 days or more' USING ERRCODE = 'check_violation';
  END IF;
  -- Not in the head of the function: for that, Postgres wants a superuser.
  PERFORM set_config('linguamate.audit_retirement', 'on', true);
  DELETE FROM audit_log WHERE id <= retired_to AND EXISTS (
    SELECT 1 FROM audit_seals
    WHERE last_id = retired_to AND at < now() - make_interval(days => age_days));
  GET DIAGNOSTICS dropped = ROW_COUNT;
  PERFORM set_config('linguamate.audit_retirement', '', true);
  RETURN dropped;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION retire_audit_rows(bigint, integer) FROM PUBLIC;

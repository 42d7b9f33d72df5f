CREATE TABLE security_events (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  at timestamptz NOT NULL,
  event text NOT NULL,
  count integer NOT NULL,
  user_id uuid,
  ip text,
  route text,
  correlation_id text NOT NULL,
  data jsonb NOT NULL DEFAULT '{}'
);
--> statement-breakpoint
CREATE INDEX security_events_at_idx ON security_events (at);
--> statement-breakpoint
CREATE INDEX security_events_user_idx ON security_events (user_id, at) WHERE user_id IS NOT NULL;
--> statement-breakpoint
CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor_kind text NOT NULL CHECK (actor_kind IN ('user', 'operator', 'system')),
  actor_id text,
  action text NOT NULL,
  subject_id text,
  reason text,
  correlation_id text NOT NULL,
  ip_prefix text
);
--> statement-breakpoint
CREATE INDEX audit_log_subject_idx ON audit_log (subject_id, id DESC);
--> statement-breakpoint
CREATE INDEX audit_log_actor_idx ON audit_log (actor_id, id DESC);
--> statement-breakpoint
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
--> statement-breakpoint
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

CREATE TABLE operator_tokens (
  id text PRIMARY KEY,
  name text NOT NULL,
  secret_hash text NOT NULL,
  scopes text[] NOT NULL,
  created_by uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  last_used_at timestamptz,
  revoked_at timestamptz
);
--> statement-breakpoint
CREATE UNIQUE INDEX operator_tokens_name_key ON operator_tokens (name) WHERE revoked_at IS NULL;
--> statement-breakpoint
CREATE INDEX operator_tokens_created_by_idx ON operator_tokens (created_by);
--> statement-breakpoint
CREATE INDEX users_operators_idx ON users (role) WHERE role <> 'user';
--> statement-breakpoint
CREATE INDEX security_events_correlation_idx ON security_events (correlation_id);
--> statement-breakpoint
CREATE INDEX security_events_ip_idx ON security_events (ip, at) WHERE ip IS NOT NULL;
--> statement-breakpoint
CREATE INDEX audit_log_correlation_idx ON audit_log (correlation_id);

CREATE TABLE preferences (
  user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  profile jsonb NOT NULL,
  version integer NOT NULL DEFAULT 1,
  updated_at timestamptz NOT NULL
);
--> statement-breakpoint
CREATE TABLE xp_entries (
  source text NOT NULL,
  source_id uuid NOT NULL,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  points integer NOT NULL,
  earned_at timestamptz NOT NULL,
  PRIMARY KEY (source, source_id)
);
--> statement-breakpoint
CREATE INDEX xp_entries_user_idx ON xp_entries (user_id);
--> statement-breakpoint
CREATE TABLE idempotency_keys (
  scope text NOT NULL,
  key text NOT NULL,
  body_hash text NOT NULL,
  result_id text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (scope, key)
);
--> statement-breakpoint
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
--> statement-breakpoint
CREATE TABLE login_delays (
  key text PRIMARY KEY,
  failures integer NOT NULL,
  delayed_until_ms bigint NOT NULL,
  expires_at_ms bigint NOT NULL,
  last_reservation uuid NOT NULL
);
--> statement-breakpoint
CREATE INDEX login_delays_expires_at_ms_idx ON login_delays (expires_at_ms);

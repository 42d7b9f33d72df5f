CREATE TABLE mail_codes (
  purpose text NOT NULL,
  subject text NOT NULL,
  id uuid NOT NULL UNIQUE,
  user_id uuid REFERENCES users (id) ON DELETE CASCADE,
  email text NOT NULL,
  attempts smallint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (purpose, subject)
);
--> statement-breakpoint
CREATE INDEX mail_codes_expires_at_idx ON mail_codes (expires_at);
--> statement-breakpoint
CREATE TABLE mail_budgets (
  address_hash text PRIMARY KEY,
  admitted_at timestamptz[] NOT NULL,
  last_admitted_at timestamptz NOT NULL
);
--> statement-breakpoint
CREATE TABLE outbox (
  id uuid PRIMARY KEY,
  kind text NOT NULL,
  payload jsonb NOT NULL,
  send boolean NOT NULL DEFAULT true,
  correlation_id text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  run_after timestamptz NOT NULL,
  attempts smallint NOT NULL DEFAULT 0,
  admitted_at timestamptz,
  failed_at timestamptz,
  last_error text
);
--> statement-breakpoint
CREATE INDEX outbox_due_idx ON outbox (run_after) WHERE send AND failed_at IS NULL;
--> statement-breakpoint
CREATE INDEX outbox_expires_at_idx ON outbox (expires_at);
--> statement-breakpoint
CREATE TABLE suppressed_addresses (
  address_hash text PRIMARY KEY,
  reason text NOT NULL CHECK (reason IN ('bounced', 'complained')),
  created_at timestamptz NOT NULL
);
--> statement-breakpoint
CREATE TABLE webhook_events (
  source text NOT NULL,
  id text NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (source, id)
);
--> statement-breakpoint
CREATE TABLE email_changes (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  old_email text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  undone_at timestamptz
);
--> statement-breakpoint
CREATE INDEX email_changes_user_idx ON email_changes (user_id, created_at);
--> statement-breakpoint
CREATE INDEX email_changes_expires_at_idx ON email_changes (expires_at);
--> statement-breakpoint
CREATE INDEX mail_codes_user_idx ON mail_codes (user_id) WHERE user_id IS NOT NULL;

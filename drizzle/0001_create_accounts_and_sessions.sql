CREATE TABLE users (
  id uuid PRIMARY KEY,
  email text,
  claimed_email text,
  claim_device text,
  email_undeliverable boolean NOT NULL DEFAULT false,
  password_hash text,
  role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'operator', 'admin')),
  name text NOT NULL,
  avatar_url text,
  native_language text,
  target_language text,
  level text,
  goals text[] NOT NULL DEFAULT '{}',
  interests text[] NOT NULL DEFAULT '{}',
  topics text[] NOT NULL DEFAULT '{}',
  daily_goal_minutes smallint NOT NULL DEFAULT 10,
  time_zone text NOT NULL DEFAULT 'UTC',
  reminder_time text,
  is_premium boolean NOT NULL DEFAULT false,
  onboarding_completed boolean NOT NULL DEFAULT false,
  accepted_terms_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE UNIQUE INDEX users_email_key ON users (email);
--> statement-breakpoint
CREATE INDEX users_claimed_email_idx ON users (claimed_email) WHERE claimed_email IS NOT NULL;
--> statement-breakpoint
CREATE TABLE sessions (
  id text PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  refresh_counter integer NOT NULL DEFAULT 0,
  device_id text,
  device_name text,
  device_platform text,
  app_version text,
  ip_prefix text,
  auth_methods text[] NOT NULL,
  authenticated_at timestamptz NOT NULL,
  redis_generation text,
  created_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  idle_expires_at timestamptz NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  revoked_reason text
);
--> statement-breakpoint
CREATE INDEX sessions_live_by_user_idx ON sessions (user_id) WHERE revoked_at IS NULL;
--> statement-breakpoint
CREATE INDEX sessions_idle_expires_at_idx ON sessions (idle_expires_at);

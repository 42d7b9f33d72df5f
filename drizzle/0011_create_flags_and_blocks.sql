CREATE TABLE mirror_versions (
  name text PRIMARY KEY,
  version bigint NOT NULL
);
--> statement-breakpoint
INSERT INTO mirror_versions VALUES ('flags', 1), ('blocks', 1);
--> statement-breakpoint
CREATE TABLE flags (
  name text PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('kill_switch', 'feature')),
  enabled boolean NOT NULL,
  is_public boolean NOT NULL DEFAULT false,
  percentage smallint NOT NULL DEFAULT 100 CHECK (percentage BETWEEN 0 AND 100),
  users text[] NOT NULL DEFAULT '{}',
  version integer NOT NULL DEFAULT 1,
  updated_by text NOT NULL,
  updated_at timestamptz NOT NULL
);
--> statement-breakpoint
CREATE TABLE blocks (
  id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('ip', 'cidr', 'user')),
  value text NOT NULL,
  reason text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz
);
--> statement-breakpoint
CREATE UNIQUE INDEX blocks_standing_key ON blocks (value) WHERE ended_at IS NULL;
--> statement-breakpoint
CREATE INDEX blocks_expires_at_idx ON blocks (expires_at);

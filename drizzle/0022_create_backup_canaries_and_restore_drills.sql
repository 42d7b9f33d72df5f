-- Rows written by the clock, so that a restored copy shows up to which moment it holds data.
CREATE TABLE backup_canaries (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE INDEX backup_canaries_at_idx ON backup_canaries (at);
--> statement-breakpoint
CREATE TABLE restore_drills (
  id uuid PRIMARY KEY,
  started_at timestamptz NOT NULL,
  started_by text NOT NULL,
  target_at timestamptz NOT NULL,
  step text NOT NULL,
  step_started_at timestamptz NOT NULL,
  token integer NOT NULL DEFAULT 0,
  held_until timestamptz NOT NULL,
  copy_name text NOT NULL,
  copy_id text,
  operations text[] NOT NULL DEFAULT '{}',
  expected jsonb NOT NULL,
  audit_verified_to bigint NOT NULL DEFAULT 0,
  findings jsonb NOT NULL DEFAULT '[]',
  leftovers text[] NOT NULL DEFAULT '{}',
  last_error text,
  proven_at timestamptz,
  rpo_seconds integer,
  succeeded boolean,
  finished_at timestamptz
);
--> statement-breakpoint
CREATE UNIQUE INDEX restore_drills_running_key ON restore_drills ((true)) WHERE finished_at IS NULL;
--> statement-breakpoint
CREATE INDEX restore_drills_started_at_idx ON restore_drills (started_at);

-- The change log: what was deployed, and what happened to each deployment and when.
CREATE TABLE deployments (
  id text PRIMARY KEY,
  platform text NOT NULL,
  sha text,
  version text,
  url text,
  reason text,
  -- What the release said of itself when it last served a request.
  first_served_at timestamptz,
  last_served_at timestamptz,
  migration_head text,
  environment jsonb,
  crons jsonb
);
--> statement-breakpoint
CREATE TABLE deployment_events (
  deployment_id text NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('requested', 'ready', 'live', 'rolled_back', 'failed', 'cancelled')),
  at timestamptz NOT NULL,
  actor text,
  source text NOT NULL,
  PRIMARY KEY (deployment_id, kind, at)
);
--> statement-breakpoint
CREATE INDEX deployment_events_at_idx ON deployment_events (at DESC);
--> statement-breakpoint
CREATE INDEX deployment_events_live_idx ON deployment_events (at DESC, deployment_id DESC) WHERE kind = 'live';

CREATE TABLE alerts (
  key text PRIMARY KEY,
  rule text NOT NULL,
  label text NOT NULL,
  state text NOT NULL CHECK (state IN ('inactive', 'pending', 'firing')),
  bad_minutes integer NOT NULL,
  good_minutes integer NOT NULL,
  known_minute timestamptz NOT NULL,
  since timestamptz NOT NULL,
  told_priority text,
  told_channel text,
  detail text NOT NULL
);
--> statement-breakpoint
CREATE TABLE alert_transitions (
  key text NOT NULL,
  minute timestamptz NOT NULL,
  rule text NOT NULL,
  label text NOT NULL,
  from_state text NOT NULL,
  to_state text NOT NULL,
  detail text NOT NULL,
  UNIQUE (key, minute)
);
--> statement-breakpoint
CREATE INDEX alert_transitions_minute_idx ON alert_transitions (minute);
--> statement-breakpoint
CREATE TABLE alert_samples (
  minute timestamptz NOT NULL,
  series text NOT NULL,
  value bigint NOT NULL,
  PRIMARY KEY (minute, series)
);
--> statement-breakpoint
CREATE TABLE alert_clock (
  name text PRIMARY KEY,
  counted_until timestamptz NOT NULL,
  sampled_until timestamptz NOT NULL
);
--> statement-breakpoint
INSERT INTO alert_clock VALUES ('evaluator', 'epoch', 'epoch');
--> statement-breakpoint
CREATE TABLE alert_silences (
  rule text PRIMARY KEY,
  until timestamptz NOT NULL
);
--> statement-breakpoint
CREATE TABLE incidents (
  id uuid PRIMARY KEY,
  title text NOT NULL,
  severity text NOT NULL CHECK (severity IN ('P1', 'P2', 'P3')),
  opened_at timestamptz NOT NULL,
  opened_by text NOT NULL,
  closed_at timestamptz
);
--> statement-breakpoint
CREATE INDEX incidents_opened_at_idx ON incidents (opened_at DESC);
--> statement-breakpoint
CREATE TABLE incident_notes (
  id uuid PRIMARY KEY,
  incident_id uuid NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
  at timestamptz NOT NULL,
  author text NOT NULL,
  text text NOT NULL
);
--> statement-breakpoint
CREATE INDEX incident_notes_incident_idx ON incident_notes (incident_id, at);
--> statement-breakpoint
CREATE INDEX audit_log_at_idx ON audit_log (at);
--> statement-breakpoint
CREATE INDEX telemetry_minutes_security_idx ON telemetry_minutes (minute)
  WHERE starts_with(series, 'security_events_total');
--> statement-breakpoint
CREATE INDEX outbox_notices_idx ON outbox (run_after) WHERE kind = 'notice';

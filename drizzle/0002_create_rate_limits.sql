CREATE TABLE rate_limits (
  key text PRIMARY KEY,
  used integer NOT NULL,
  resets_at_ms bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX rate_limits_resets_at_ms_idx ON rate_limits (resets_at_ms);

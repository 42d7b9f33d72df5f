CREATE TABLE telemetry_totals (
  series text PRIMARY KEY,
  value bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE telemetry_minutes (
  minute timestamptz NOT NULL,
  series text NOT NULL,
  value bigint NOT NULL,
  PRIMARY KEY (minute, series)
);
--> statement-breakpoint
CREATE TABLE telemetry_gauges (
  series text PRIMARY KEY,
  value double precision NOT NULL,
  measured_at timestamptz NOT NULL
);
--> statement-breakpoint
CREATE TABLE drain_state (
  name text PRIMARY KEY,
  cursor text NOT NULL,
  drained_until timestamptz NOT NULL
);
--> statement-breakpoint
INSERT INTO drain_state VALUES ('events', '0-0', now());
--> statement-breakpoint
CREATE TABLE drained_batches (
  instance text NOT NULL,
  seq bigint NOT NULL,
  events integer NOT NULL,
  drained_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (instance, seq)
);
--> statement-breakpoint
CREATE INDEX drained_batches_drained_at_idx ON drained_batches (drained_at);
--> statement-breakpoint
CREATE SEQUENCE access_log_id_seq;
--> statement-breakpoint
CREATE TABLE access_log (
  id bigint NOT NULL DEFAULT nextval('access_log_id_seq'),
  inserted_at timestamptz NOT NULL DEFAULT now(),
  at timestamptz NOT NULL,
  count integer NOT NULL,
  one_in integer NOT NULL,
  correlation_id text,
  route text NOT NULL,
  method text NOT NULL,
  status integer NOT NULL,
  code text,
  duration_ms double precision NOT NULL,
  user_hash text,
  ip_prefix text,
  limits jsonb,
  external_calls jsonb,
  token_failure text,
  security_events jsonb,
  app_version text,
  release text NOT NULL
) PARTITION BY RANGE (inserted_at);
--> statement-breakpoint
CREATE INDEX access_log_at_idx ON access_log (at DESC, id DESC);
--> statement-breakpoint
CREATE INDEX access_log_correlation_idx ON access_log (correlation_id);
--> statement-breakpoint
CREATE INDEX access_log_user_idx ON access_log (user_hash, at DESC, id DESC) WHERE user_hash IS NOT NULL;
--> statement-breakpoint
-- Attached rather than made in place, which would lock out the drain.
CREATE FUNCTION ensure_access_log_partitions(days_ahead integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  today date := (now() AT TIME ZONE 'UTC')::date;
  day date;
  partition text;
  made integer := 0;
BEGIN
  FOR ahead IN 0..days_ahead LOOP
    day := today + ahead;
    partition := 'access_log_' || to_char(day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(partition) IS NOT NULL;
    PERFORM pg_advisory_xact_lock(hashtext('access_log_partitions'));
    CONTINUE WHEN to_regclass(partition) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I (LIKE access_log INCLUDING DEFAULTS)', partition);
    EXECUTE format('ALTER TABLE access_log ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      partition, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
    made := made + 1;
  END LOOP;
  RETURN made;
END
$$;
--> statement-breakpoint
CREATE FUNCTION drop_access_log_partitions(retention_days integer) RETURNS integer LANGUAGE plpgsql
SET lock_timeout = '2s' AS $$
DECLARE
  today date := (now() AT TIME ZONE 'UTC')::date;
  partition text;
  dropped integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('access_log_partitions'));
  FOR partition IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'access_log'::regclass AND c.relname ~ '^access_log_\d{8}$'
      AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - retention_days
    ORDER BY 1
  LOOP
    EXECUTE format('ALTER TABLE access_log DETACH PARTITION %I', partition);
    EXECUTE format('DROP TABLE %I', partition);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END
$$;
--> statement-breakpoint
SELECT ensure_access_log_partitions(8);
--> statement-breakpoint
CREATE TABLE unusual_usage (
  user_hash text NOT NULL,
  hour timestamptz NOT NULL,
  calls integer NOT NULL,
  PRIMARY KEY (user_hash, hour)
);
--> statement-breakpoint
CREATE INDEX unusual_usage_hour_idx ON unusual_usage (hour);

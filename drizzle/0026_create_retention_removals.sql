-- What retention removed: a row per run of the cleanup and class of data, written in the transaction of the removal.
CREATE TABLE retention_removals (
  run text NOT NULL,
  class text NOT NULL,
  rows bigint NOT NULL,
  removed_to timestamptz NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run, class)
);
--> statement-breakpoint
CREATE INDEX retention_removals_class_idx ON retention_removals (class, at DESC);
--> statement-breakpoint
CREATE INDEX retention_removals_at_idx ON retention_removals (at);
--> statement-breakpoint
-- Locks the partition first: while a long reader holds it, the parent stays free for everybody else.
CREATE FUNCTION drop_access_log_partition(removed_before timestamptz, run text) RETURNS TABLE (name text, row_count bigint)
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
  due record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('access_log_partitions'));
  SELECT c.oid, c.relname, greatest(c.reltuples, 0)::bigint AS tuples,
    (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC' AS ends_at,
    EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = c.oid) AS is_attached
  INTO due
  FROM pg_class c
  WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'access_log'::regclass)
    AND c.relkind = 'r' AND c.relname ~ '^access_log_\d{8}$'
    AND (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC' <= removed_before
  ORDER BY c.relname LIMIT 1;
  IF due.oid IS NULL THEN
    RETURN;
  END IF;
  EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', due.relname);
  IF due.is_attached THEN
    EXECUTE format('ALTER TABLE access_log DETACH PARTITION %I', due.relname);
  END IF;
  EXECUTE format('DROP TABLE %I', due.relname);
  INSERT INTO retention_removals AS before (run, class, rows, removed_to)
  VALUES (drop_access_log_partition.run, 'access_log', due.tuples, due.ends_at)
  ON CONFLICT ON CONSTRAINT retention_removals_pkey DO UPDATE
  SET rows = before.rows + excluded.rows, removed_to = greatest(before.removed_to, excluded.removed_to), at = now();
  INSERT INTO telemetry_totals AS before (series, value)
  VALUES ('retention_removed_rows_total{class="access_log"}', due.tuples)
  ON CONFLICT (series) DO UPDATE SET value = before.value + excluded.value;
  RETURN QUERY SELECT due.relname::text, due.tuples;
END
$$;

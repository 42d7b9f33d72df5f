CREATE VIEW outbox AS
SELECT id, kind, payload, send, correlation_id, created_at, expires_at, run_after, attempts, admitted_at,
  dead_at AS failed_at, last_error
FROM queue_entries WHERE key IS NULL AND done_at IS NULL;
--> statement-breakpoint
CREATE VIEW jobs AS
SELECT ctid AS ctid, id, kind, key, payload, correlation_id, created_at, run_after, attempts, leased_until,
  done_at, dead_at, last_error
FROM queue_entries WHERE key IS NOT NULL;
--> statement-breakpoint
-- A role of its own for the application may do with the views what it may do with the table.
DO $$
DECLARE granted record;
BEGIN
  FOR granted IN
    SELECT view.name, acl.privilege_type,
      CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END AS grantee
    FROM pg_class CROSS JOIN aclexplode(relacl) AS acl CROSS JOIN (VALUES ('outbox'), ('jobs')) AS view (name)
    WHERE pg_class.oid = 'queue_entries'::regclass AND acl.grantee <> relowner
      AND acl.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
  LOOP
    EXECUTE format('GRANT %s ON %I TO %s', granted.privilege_type, granted.name, granted.grantee);
  END LOOP;
END $$;
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

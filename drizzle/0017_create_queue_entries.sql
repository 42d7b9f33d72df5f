-- Mails, alert notices and jobs become entries of one queue. The outbox is that table under a new name; jobs
-- move into it. The functions of the previous release know both by their old names, which are views.
LOCK TABLE outbox, jobs IN ACCESS EXCLUSIVE MODE;
--> statement-breakpoint
ALTER TABLE outbox RENAME TO queue_entries;
--> statement-breakpoint
ALTER TABLE queue_entries RENAME COLUMN failed_at TO dead_at;
--> statement-breakpoint
ALTER TABLE queue_entries
  ALTER COLUMN created_at SET DEFAULT now(),
  ALTER COLUMN run_after SET DEFAULT now(),
  ALTER COLUMN expires_at DROP NOT NULL,
  ADD COLUMN key text UNIQUE,
  ADD COLUMN leased_until timestamptz,
  ADD COLUMN done_at timestamptz;
--> statement-breakpoint
INSERT INTO queue_entries (id, kind, key, payload, correlation_id, created_at, run_after, attempts,
  leased_until, done_at, dead_at, last_error)
SELECT id, kind, key, payload, correlation_id, created_at, run_after, attempts,
  leased_until, done_at, dead_at, last_error
FROM jobs;
--> statement-breakpoint
DROP INDEX outbox_due_idx;
--> statement-breakpoint
DROP INDEX outbox_notices_idx;
--> statement-breakpoint
ALTER INDEX outbox_pkey RENAME TO queue_entries_pkey;
--> statement-breakpoint
ALTER INDEX outbox_expires_at_idx RENAME TO queue_entries_expires_at_idx;
--> statement-breakpoint
ALTER INDEX outbox_failed_at_idx RENAME TO queue_entries_dead_at_idx;
--> statement-breakpoint
CREATE INDEX queue_entries_due_idx ON queue_entries (kind, run_after)
  WHERE send AND done_at IS NULL AND dead_at IS NULL;
--> statement-breakpoint
CREATE INDEX queue_entries_done_at_idx ON queue_entries (done_at) WHERE done_at IS NOT NULL;
--> statement-breakpoint
CREATE VIEW outbox AS
SELECT id, kind, payload, send, correlation_id, created_at, expires_at, run_after, attempts, admitted_at,
  dead_at AS failed_at, last_error
FROM queue_entries WHERE key IS NULL AND done_at IS NULL;
--> statement-breakpoint
ALTER TABLE jobs RENAME TO jobs_before;
--> statement-breakpoint
-- The previous release prunes its jobs by ctid.
CREATE VIEW jobs AS
SELECT ctid AS ctid, id, kind, key, payload, correlation_id, created_at, run_after, attempts, leased_until,
  done_at, dead_at, last_error
FROM queue_entries WHERE key IS NOT NULL;
--> statement-breakpoint
-- A role of its own for the application may do with the views what it may do with the tables.
DO $$
DECLARE granted record;
BEGIN
  FOR granted IN
    SELECT old.name, acl.privilege_type,
      CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END AS grantee
    FROM (VALUES ('outbox', 'queue_entries'::regclass), ('jobs', 'jobs_before'::regclass)) AS old (name, oid)
    JOIN pg_class ON pg_class.oid = old.oid
    CROSS JOIN aclexplode(pg_class.relacl) AS acl
    WHERE acl.grantee <> pg_class.relowner
      AND acl.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
  LOOP
    EXECUTE format('GRANT %s ON %I TO %s', granted.privilege_type, granted.name, granted.grantee);
  END LOOP;
END $$;
--> statement-breakpoint
DROP TABLE jobs_before;

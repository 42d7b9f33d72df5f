-- For databases on which 0012 was applied while it still needed a superuser.
-- Drops the rows up to the end of a seal that is older than so many days, and never younger ones: it
-- runs with its owner's rights, so a role that may only insert can call it.
CREATE OR REPLACE FUNCTION retire_audit_rows(retired_to bigint, age_days integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
  dropped bigint;
BEGIN
  IF age_days < 30 THEN
    RAISE EXCEPTION 'audit rows are kept for 30 days or more' USING ERRCODE = 'check_violation';
  END IF;
  -- Not in the head of the function: for that, Postgres wants a superuser.
  PERFORM set_config('linguamate.audit_retirement', 'on', true);
  DELETE FROM audit_log WHERE id <= retired_to AND EXISTS (
    SELECT 1 FROM audit_seals
    WHERE last_id = retired_to AND at < now() - make_interval(days => age_days));
  GET DIAGNOSTICS dropped = ROW_COUNT;
  PERFORM set_config('linguamate.audit_retirement', '', true);
  RETURN dropped;
END
$$;

-- no transaction
-- An operator looks up an account by the address that it had before a thief changed it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS email_changes_old_email_idx ON email_changes (old_email);

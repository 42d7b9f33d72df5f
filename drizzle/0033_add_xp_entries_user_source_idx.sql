-- no transaction
-- An export reads the entries of one user in the order of the primary key.
CREATE INDEX CONCURRENTLY IF NOT EXISTS xp_entries_user_source_idx ON xp_entries (user_id, source, source_id);

-- no transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_purge_at_idx ON users (purge_at) WHERE purge_at IS NOT NULL;

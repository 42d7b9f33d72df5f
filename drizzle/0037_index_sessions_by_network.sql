-- no transaction
-- An operator looks up which accounts were entered from an address.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_network_idx ON sessions (ip_prefix, created_at) WHERE ip_prefix IS NOT NULL;

-- no transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS suppressed_addresses_created_at_idx ON suppressed_addresses (created_at);

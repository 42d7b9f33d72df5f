-- no transaction
-- Operators list the addresses in pages, newest first; those of one time are ordered by their hash.
CREATE INDEX CONCURRENTLY IF NOT EXISTS suppressed_addresses_age_idx ON suppressed_addresses (created_at, address_hash);

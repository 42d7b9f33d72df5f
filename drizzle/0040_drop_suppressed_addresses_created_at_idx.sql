-- no transaction
DROP INDEX CONCURRENTLY IF EXISTS suppressed_addresses_created_at_idx;

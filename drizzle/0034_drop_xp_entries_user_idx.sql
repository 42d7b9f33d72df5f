-- no transaction
DROP INDEX CONCURRENTLY IF EXISTS xp_entries_user_idx;

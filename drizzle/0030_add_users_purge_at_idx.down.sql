DROP INDEX users_purge_at_idx;

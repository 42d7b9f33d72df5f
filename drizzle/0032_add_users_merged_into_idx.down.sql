DROP INDEX users_merged_into_idx;

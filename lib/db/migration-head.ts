/** The newest migration that this release was written against. */
export const migrationHead = "0034_drop_xp_entries_user_idx";

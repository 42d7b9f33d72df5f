/** The newest migration that this release was written against. */
export const migrationHead = "0019_add_missing_primary_keys";

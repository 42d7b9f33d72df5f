/** The newest migration that this release was written against. */
export const migrationHead = "0016_add_claimed_at";

/** The newest migration that this release was written against. */
export const migrationHead = "0018_add_claimed_at";

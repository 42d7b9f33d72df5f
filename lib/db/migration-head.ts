/** The newest migration that this release was written against. */
export const migrationHead = "0018_add_concurrent_at";

/** The newest migration that this release was written against. */
export const migrationHead = "0060_create_attempts";

/** The newest migration that this release was written against. */
export const migrationHead = "0026_create_retention_removals";

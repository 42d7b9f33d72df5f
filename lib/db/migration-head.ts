/** The newest migration that this release was written against. */
export const migrationHead = "0050_create_content";

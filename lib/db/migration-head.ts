/** The newest migration that this release was written against. */
export const migrationHead = "0035_add_restored_erasures";

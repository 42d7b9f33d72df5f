/** The newest migration that this release was written against. */
export const migrationHead = "0017_create_queue_entries";

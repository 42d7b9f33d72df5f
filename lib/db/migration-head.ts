/** The newest migration that this release was written against. */
export const migrationHead = "0041_index_waiting_jobs";

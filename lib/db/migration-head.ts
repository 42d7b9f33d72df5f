/** The newest migration that this release was written against. */
export const migrationHead = "0019_index_security_events_by_account";

/** The newest migration that this release was written against. */
export const migrationHead = "0029_index_security_events_by_account_id";

/** The newest migration that this release was written against. */
export const migrationHead = "0038_index_email_changes_by_old_email";

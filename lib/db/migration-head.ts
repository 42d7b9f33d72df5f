/** The newest migration that this release was written against. */
export const migrationHead = "0020_add_account_deletion";

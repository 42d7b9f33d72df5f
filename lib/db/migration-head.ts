/** The newest migration that this release was written against. */
export const migrationHead = "0028_let_any_owner_retire_audit_rows";

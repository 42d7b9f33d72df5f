/** The newest migration that this release was written against. */
export const migrationHead = "0013_create_operator_tokens";

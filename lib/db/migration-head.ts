/** The newest migration that this release was written against. */
export const migrationHead = "0016_let_several_reset_codes_live";

/** The newest migration that this release was written against. */
export const migrationHead = "0027_add_suppressed_addresses_created_at_idx";

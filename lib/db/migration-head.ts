/** The newest migration that this release was written against. */
export const migrationHead = "0040_drop_suppressed_addresses_created_at_idx";

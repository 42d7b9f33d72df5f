/** The newest migration that this release was written against; `db:migrate:create` writes it. */
export const migrationHead = "0035_add_restored_erasures";

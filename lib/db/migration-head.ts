/** The newest migration that this release was written against. */
export const migrationHead = "0022_create_backup_canaries_and_restore_drills";

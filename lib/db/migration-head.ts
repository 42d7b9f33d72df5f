/** The newest migration that this release was written against. */
export const migrationHead = "0036_drop_names_of_the_former_queue";

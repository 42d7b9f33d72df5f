/** The newest migration that this release was written against. */
export const migrationHead = "0024_create_deployments";

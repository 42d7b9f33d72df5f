import process from "node:process";
import { migrateCommand } from "../db/migrations/command.js";
import { EnvironmentError } from "../env.js";
import { loadEnvFile } from "./env-file.js";
import { connectForMigrations } from "./migration-connection.js";

/** The migration command of a build, without development tools; needs only DATABASE_URL. */
async function connect() {
  const connectionString = process.env.DATABASE_URL;
  if (!connectionString) throw new EnvironmentError("DATABASE_URL is required");
  return connectForMigrations({ connectionString });
}

loadEnvFile();
process.exitCode = await migrateCommand(process.argv.slice(2), connect, {
  out: console.log,
  error: console.error,
});

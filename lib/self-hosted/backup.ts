import process from "node:process";
import { backupCommand } from "./backup/command.js";
import { loadEnvFile } from "./env-file.js";

/** Backups of a self-hosted PostgreSQL, as a program of its own: it needs the key, and memory, that the server does not. */
loadEnvFile();
const status = await backupCommand(process.argv.slice(2), process.env, {
  out: console.log,
  error: console.error,
});
// What still runs, such as hours of a restore drill, does not keep the process alive; the next start repeats it.
process.exit(status);

import process from "node:process";
import { backupCommand } from "./backup/command.js";
import { loadEnvFile } from "./env-file.js";

/** Backups of a self-hosted PostgreSQL, as a program of its own: it needs the key, and memory, that the server does not. */
loadEnvFile();
const status = await backupCommand(process.argv.slice(2), process.env, {
  out: console.log,
  error: console.error,
});
// A step of a restore drill may go on for hours; the next start repeats it.
process.exit(status);

import process from "node:process";
import { migrateCommand } from "../lib/db/migrations/command.js";
import { connectForCommand } from "./connect.js";

const io = { out: console.log, error: console.error };
process.exit(await migrateCommand(process.argv.slice(2), connectForCommand, io));

import process from "node:process";
import { oneLine } from "../lib/db/migrations/command.js";
import { connectForCommand } from "./connect.js";
import { seedCourses } from "./content/seed-courses.js";
import { seedAccounts, seededAccounts } from "./seed-accounts.js";

const isProduction = process.env.NODE_ENV === "production";

try {
  const { sql, close } = await connectForCommand();
  try {
    for (const { name, version, outcome } of await seedCourses(sql)) {
      console.log(`${name}  version ${version}  ${outcome}`);
    }
    if (!isProduction) await seedAccounts(sql);
  } finally {
    await close();
  }
  if (isProduction) console.log("No development accounts: their passwords are public.");
  else for (const { email, password } of seededAccounts) console.log(`${email}  ${password}`);
} catch (error) {
  console.error(oneLine(error));
  process.exitCode = 1;
}

import process from "node:process";
import { oneLine } from "../lib/db/migrations/command.js";
import { connectForCommand } from "./connect.js";
import { seedAccounts, seededAccounts } from "./seed-accounts.js";

if (process.env.NODE_ENV === "production") {
  console.error("Not seeded: the development accounts have public passwords.");
  process.exitCode = 1;
} else {
  try {
    const { sql, close } = await connectForCommand();
    await seedAccounts(sql).finally(close);
    for (const { email, password } of seededAccounts) console.log(`${email}  ${password}`);
  } catch (error) {
    console.error(oneLine(error));
    process.exitCode = 1;
  }
}

import process from "node:process";
import { connectForCommand } from "./connect.js";
import { seedAccounts, seededAccounts } from "./seed-accounts.js";

if (process.env.NODE_ENV === "production") {
  console.log("Nothing to seed: the development accounts have public passwords.");
} else {
  const { sql, close } = await connectForCommand();
  try {
    await seedAccounts(sql);
    for (const { email, password } of seededAccounts) console.log(`${email}  ${password}`);
  } finally {
    await close();
  }
}

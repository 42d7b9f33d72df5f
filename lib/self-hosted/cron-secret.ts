import { randomBytes } from "node:crypto";
import process from "node:process";

/** Sets the variable `CRON_SECRET` to a random value if it is not set. Call it before `env()`. */
export function ensureCronSecret(): void {
  if (process.env.CRON_SECRET?.trim()) return;
  process.env.CRON_SECRET = randomBytes(32).toString("base64url");
}

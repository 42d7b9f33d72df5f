import { randomBytes } from "node:crypto";
import process from "node:process";

/** Only this process needs the secret. Call before the environment is read. */
export function ensureCronSecret(): void {
  if (process.env.CRON_SECRET?.trim()) return;
  process.env.CRON_SECRET = randomBytes(32).toString("base64url");
}

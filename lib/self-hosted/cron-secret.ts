import { randomBytes } from "node:crypto";
import process from "node:process";

/** Sets a random `CRON_SECRET` where there is none: only this process needs it. Call before the environment is read. */
export function ensureCronSecret(): void {
  if (process.env.CRON_SECRET?.trim()) return;
  process.env.CRON_SECRET = randomBytes(32).toString("base64url");
}

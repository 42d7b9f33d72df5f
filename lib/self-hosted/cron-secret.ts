import { randomBytes } from "node:crypto";
import process from "node:process";

/**
 * Make up a secret for the clock of this process where the environment names none: nobody else has to
 * know it. To be called before the environment is read.
 */
export function ensureCronSecret(): void {
  if (process.env.CRON_SECRET?.trim()) return;
  process.env.CRON_SECRET = randomBytes(32).toString("base64url");
}

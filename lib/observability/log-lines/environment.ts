import type { Env } from "../../env.js";
import { log } from "../logger.js";

/** Logs each configuration warning once. */
export function environmentRead(environment: Env): void {
  for (const warning of environment.warnings.splice(0)) {
    log("WARN", { evt: "environment_warning", cat: "server", data: { warning } }, warning);
  }
}

import type { Env } from "../../env.js";
import { log } from "../logger.js";

/** Logs each configuration warning once, and removes it from `environment`. */
export function environmentRead(environment: Env): void {
  for (const warning of environment.warnings.splice(0)) {
    log("WARN", { evt: "environment_warning", cat: "server", data: { warning } }, warning);
  }
}

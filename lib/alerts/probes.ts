import type { Context } from "../context.js";
import { runHealthChecks } from "../health/health.js";

/** True: the probe failed. */
export interface Probes {
  stores: Record<"postgres" | "redis" | "self", boolean>;
  services: Record<"toolkit", boolean>;
}

/** Probe the stores and services now. Never rejects. */
export async function runProbes(ctx: Context): Promise<Probes> {
  const { checks } = await runHealthChecks(ctx);
  const failed = (name: string) => checks[name]?.some(({ status }) => status !== "pass") ?? true;
  const isSilent = (name: string) =>
    checks[name]?.some(({ observedValue }) => observedValue === undefined) ?? true;
  return {
    stores: {
      postgres: failed("postgres:responseTime"),
      // A wrong setting is a warning of `health`, not an outage.
      redis: isSilent("redis:responseTime"),
      self: failed("server:uptime"),
    },
    services: { toolkit: failed("toolkit:responseTime") },
  };
}

import type { Context } from "../context.js";
import { examine } from "../health/health.js";

/** What failed when it was asked. */
export interface Probes {
  stores: Record<"postgres" | "redis" | "self", boolean>;
  services: Record<"toolkit", boolean>;
}

/** Ask everything that we stand on, now. Never rejects. */
export async function probe(ctx: Context): Promise<Probes> {
  const { checks } = await examine(ctx);
  const failed = (name: string) => checks[name]?.some(({ status }) => status !== "pass") ?? true;
  const isSilent = (name: string) =>
    checks[name]?.some(({ observedValue }) => observedValue === undefined) ?? true;
  return {
    stores: {
      postgres: failed("postgres:responseTime"),
      // A setting that is wrong is no outage: `health` warns of it.
      redis: isSilent("redis:responseTime"),
      self: failed("server:uptime"),
    },
    services: { toolkit: failed("toolkit:responseTime") },
  };
}

import { log } from "../logger.js";

export function sentryUnavailable(reason: string): void {
  log(
    "WARN",
    { evt: "sentry_unavailable", cat: "trace", data: { reason } },
    "Reports cannot be delivered to Sentry",
  );
}

export function profilesUnavailable(): void {
  log(
    "INFO",
    { evt: "profiles_unavailable", cat: "trace" },
    "SENTRY_PROFILES_SAMPLE_RATE has no effect: this build does not include the native profiler",
  );
}

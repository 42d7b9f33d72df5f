import { log } from "../logger.js";

/** Sentry does not take what it is sent. Nothing else is affected. */
export function sentryUnavailable(reason: string): void {
  log(
    "WARN",
    { evt: "sentry_unavailable", cat: "trace", data: { reason } },
    "Sentry does not take what it is sent",
  );
}

/** Profiles are asked for, and this build cannot make them. */
export function profilesUnavailable(): void {
  log(
    "INFO",
    { evt: "profiles_unavailable", cat: "trace" },
    "SENTRY_PROFILES_SAMPLE_RATE has no effect: this build has no native profiler",
  );
}

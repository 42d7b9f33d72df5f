/** Replaces lib/telemetry/producer.ts in a build without request events, to measure their cost. */
export async function recordRequestEvent(): Promise<void> {}

export async function recordLateEvents(): Promise<void> {}

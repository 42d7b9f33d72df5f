/**
 * Stands in for lib/telemetry/producer.ts in a build that tells nobody of its requests, beside which the
 * bench measures what telling costs.
 */
export function requestStarted(): void {}

export async function recordRequestEvent(): Promise<void> {}

export async function recordLateEvents(): Promise<void> {}

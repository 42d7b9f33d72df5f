/**
 * Stands in for lib/telemetry/producer.ts in a build that tells nobody of its requests, beside which the
 * bench measures what telling costs.
 */
export function requestBegan(): void {}

export async function requestEnded(): Promise<void> {}

export async function toldLate(): Promise<void> {}

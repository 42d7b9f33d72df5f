import type { Context } from "../context.js";
import { correlationHeader, externalCall } from "../observability/external-call.js";
import { heartbeatFailed } from "../observability/log-lines/cron.js";

const deadlineMs = 2000;

/** Ping the external cron monitor, if configured. Never rejects; a failure is only logged. */
export async function sendHeartbeat(ctx: Context): Promise<void> {
  const { heartbeatUrl } = ctx.env.cron;
  if (!heartbeatUrl) return;
  const call = { service: "heartbeat", operation: "beat" };
  const headers = correlationHeader(ctx.correlationId);
  const outcome = await externalCall(ctx, call, () => outcomeOf(heartbeatUrl, headers), String);
  if (outcome !== "ok") heartbeatFailed(ctx.correlationId, outcome);
}

async function outcomeOf(url: string, headers: Record<string, string>): Promise<string> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(deadlineMs) });
    await response.body?.cancel();
    return response.ok ? "ok" : `status_${response.status}`;
  } catch (error) {
    return error instanceof Error && error.name === "TimeoutError" ? "timeout" : "network";
  }
}

import type { Context } from "../context.js";
import { log } from "../observability/logger.js";
import { recordLater } from "./security-event-batch.js";

export const securityEventNames = [
  "login_failed",
  "login_bruteforce",
  "login_success_after_failures",
  "new_device",
  "session_displaced",
  "second_factor_failed",
  "second_factor_changed",
  "recovery_code_used",
  "token_reuse",
  "refresh_concurrent",
  "refresh_ahead",
  "jwt_signature_invalid",
  "authz_denied",
  "privilege_escalation_attempt",
  "sql_injection_attempt",
  "xss_attempt",
  "rate_limited",
  "host_rejected",
  "cors_rejected",
  "webhook_signature_invalid",
  "cron_secret_invalid",
  "metrics_token_invalid",
  "operator_token_invalid",
  "operator_token_used",
  "unusual_usage",
  "ip_blocked",
  "break_glass",
  "revoke_all_ignored",
  "admin_action",
  "data_exported",
  "deletion_requested",
  "deletion_cancelled",
] as const;
export type SecurityEvent = (typeof securityEventNames)[number];

export interface SecurityDetails {
  /** The account it is about; default: the account of the valid access token. */
  userId?: string | undefined;
  /** IDs, codes and counts only. */
  data?: Record<string, string | number>;
}

/** Logs at once, with the full IP address, counts it, and inserts a row after the reply. In a flood rows are merged or dropped. */
export function securityEvent(
  ctx: Context,
  event: SecurityEvent,
  { userId = ctx.requestMetrics.userId, data = {} }: SecurityDetails = {},
): void {
  const { address: ip, route, correlationId, now: at, requestMetrics } = ctx;
  requestMetrics.securityEvents.push(event);
  log(
    "SECURITY",
    { evt: event, cat: "security", correlationId, data: { route, ip, userId, ...data } },
    `Security event ${event}`,
  );
  recordLater(ctx, { at, event, count: 1, userId, ip, route, correlationId, data });
}

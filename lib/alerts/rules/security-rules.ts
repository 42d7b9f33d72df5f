import type { SecurityEvent } from "../../audit/security-events.js";
import type { CounterSelector, Rule } from "../rule.js";

/** Events of normal use, requests that an operator's block refuses, and events that page by themselves. All others may be an attack. */
export const benignEvents = [
  "new_device",
  "session_displaced",
  "second_factor_changed",
  "refresh_concurrent",
  "refresh_ahead",
  "operator_token_used",
  "admin_action",
  "break_glass",
  "ip_blocked",
  "data_exported",
  "deletion_requested",
  "deletion_cancelled",
] as const satisfies SecurityEvent[];
const attacks: CounterSelector = {
  metric: "security_events_total",
  where: { event: { not: benignEvents.join("|") } },
};

export const securityRules = [
  {
    name: "SecurityEventsSpike",
    summary: "Spike of security events compared to the last 24 h",
    condition: {
      kind: "spike",
      of: attacks,
      countMin: 10,
      times: 3,
      meanHours: 24,
      windowMinutes: 5,
    },
    forMinutes: 0,
    resolveMinutes: 15,
    priority: "P3",
    channel: "investigate",
    escalates: { times: 10, priority: "P2", channel: "team" },
  },
  {
    name: "AuditChainBroken",
    summary: "The audit log does not match its seals: rows were changed or deleted",
    condition: { kind: "gauge", metric: "audit_chain_broken", compare: ">=", value: 1 },
    forMinutes: 0,
    resolveMinutes: 0,
    priority: "P1",
    channel: "page",
  },
] as const satisfies readonly Rule[];

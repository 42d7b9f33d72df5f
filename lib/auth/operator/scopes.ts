/** What a token of a machine can be limited to: the nouns of the CLI. */
export const operatorScopes = [
  "access-log",
  "alerts",
  "audit",
  "backup",
  "block",
  "breaker",
  "content",
  "cron",
  "db",
  "deployments",
  "drain",
  "drill",
  "errors",
  "find",
  "flag",
  "gdpr",
  "health",
  "incident",
  "jobs",
  "jwt",
  "mail",
  "openapi",
  "operator",
  "outbox",
  "ratelimit",
  "redis",
  "restore",
  "retention",
  "revoke",
  "security-events",
  "sessions",
  "slow",
  "user",
  "verify",
] as const;
export type OperatorScope = (typeof operatorScopes)[number];

/** Of a scope such as `flag:change` or `*:read`. */
export function isKnownScope(scope: string): boolean {
  const [noun = ""] = scope.split(":");
  return noun === "*" || (operatorScopes as readonly string[]).includes(noun);
}

/**
 * The fields that may stand under `data` in a log line. Everything else is dropped there, so that a
 * new field reaches the logs only by being named here.
 */
const allowed = new Set([
  "status",
  "duration",
  "route",
  "code",
  "error",
  "stack",
  "causes",
  "service",
  "operation",
  "outcome",
  "attempt",
  "delay",
  "reason",
  "policy",
  "warning",
  "url",
  "stores",
  "signal",
  "count",
  "sessionId",
  "userId",
  "sqlState",
  "file",
  "port",
]);

const secrets: [RegExp, string][] = [
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, "[token]"],
  [/\brt1\.[\w.-]+/g, "[token]"],
  [/\b(bearer|basic)\s+[\w.~+/=-]+/gi, "$1 [token]"],
  [/([a-z]+:\/\/)[^\s/@]*:[^\s/@]*@/gi, "$1[credentials]@"],
  [/[\w.+%-]+(@|%40)[\w-]+(\.[\w-]+)+/gi, "[email]"],
  [/\$argon2\w*\$\S+/g, "[hash]"],
];

const textMax = 4096;

/** Free text with everything that looks like a token, a password in a URL or an e-mail taken out. */
export function redactText(text: string): string {
  let redacted = text.length > textMax ? `${text.slice(0, textMax)}…` : text;
  for (const [pattern, replacement] of secrets) redacted = redacted.replace(pattern, replacement);
  return redacted;
}

/** The part of `data` that may be logged. */
export function redactData(data: Record<string, unknown>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(data)) {
    if (allowed.has(name) && value !== undefined) kept[name] = redactValue(value);
  }
  return kept;
}

function redactValue(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  return redactText(typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
}

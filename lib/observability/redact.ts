/** Allowlist of log fields: a new field must be added here to be logged. */
const allowed = new Set([
  "status",
  "cut",
  "duration",
  "route",
  "code",
  "error",
  "stack",
  "statement",
  "causes",
  "service",
  "operation",
  "template",
  "outcome",
  "attempt",
  "delay",
  "reason",
  "policy",
  "ip",
  "warning",
  "url",
  "stores",
  "signal",
  "count",
  "requested",
  "cancelled",
  "account",
  "sessionId",
  "userId",
  "sqlState",
  "file",
  "rule",
  "label",
  "state",
  "event",
  "priority",
  "channel",
  "port",
  "jobId",
  "lastId",
  "hash",
  "sha",
  "committedAt",
  "rtoSeconds",
  "rpoSeconds",
]);

const secrets: [RegExp, string][] = [
  [/\beyJ[\w-]+(\.[\w-]*)*/g, "[token]"],
  [/\b(rt|ue)1\.[\w.-]+/g, "[token]"],
  [/ops_[\da-f]{16}_[\w-]+/gi, "[token]"],
  [/\b(bearer|basic)\s+[\w.~+/=-]+/gi, "$1 [token]"],
  // Up to the last @ of the word: a password may contain any character.
  [/(?<![a-z\d+.-])((?!file:)[a-z][a-z\d+.-]*:\/\/)[^\s"'<>]*@/gi, "$1[credentials]@"],
  // The lookbehind keeps the time linear: each word is tried once.
  [
    /(?<![\p{L}\p{N}_.+%-])[\p{L}\p{N}_.+%-]+(@|%(25)*40)[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)+/giu,
    "[email]",
  ],
  [/\$argon2\w*\$\S+/g, "[hash]"],
  [
    /(password|passwd|secret|token|api_?key)([\\"']*\s*[=:]\s*[\\"']*)[^\s\\"'&,;]+/gi,
    "$1$2[secret]",
  ],
];

/** A part of every match of `secrets`: other text, nearly all of it, needs one search instead of eight. */
const suspicious =
  /eyJ|(rt|ue)1\.|ops_|bearer|basic|@|%(25)*40|\$argon2|passw|secret|token|api_?key/i;

const textMax = 4096;

/** Replace tokens, credentials, hashes, secrets and e-mail addresses; cut at 4096 characters. */
export function redactText(text: string): string {
  let redacted = text.length > textMax ? `${wholeWords(text.slice(0, textMax))}…` : text;
  if (!suspicious.test(redacted)) return redacted;
  for (const [pattern, replacement] of secrets) redacted = redacted.replace(pattern, replacement);
  return redacted;
}

/** A truncated secret would not match the patterns. */
function wholeWords(cut: string): string {
  return cut.slice(0, Math.max(cut.lastIndexOf(" "), cut.lastIndexOf("\n")) + 1);
}

/** Only allowed fields, redacted; an object becomes JSON text. */
export function redactData(data: Record<string, unknown>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(data)) {
    if (allowed.has(name) && value !== undefined) kept[name] = redactValue(value);
  }
  return kept;
}

function redactValue(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  return redactText(typeof value === "string" ? value : asText(value));
}

/** Must not throw, because it logs failures. */
function asText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

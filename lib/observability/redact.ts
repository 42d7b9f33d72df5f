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
]);

const secrets: [RegExp, string][] = [
  [/\beyJ[\w-]+(\.[\w-]*)*/g, "[token]"],
  [/\b(rt|ue)1\.[\w.-]+/g, "[token]"],
  [/ops_[\da-f]{16}_[\w-]+/gi, "[token]"],
  [/\b(bearer|basic)\s+[\w.~+/=-]+/gi, "$1 [token]"],
  // Up to the last @ of the word, for a password may hold any sign.
  [/(?<![a-z\d+.-])((?!file:)[a-z][a-z\d+.-]*:\/\/)[^\s"'<>]*@/gi, "$1[credentials]@"],
  // Looking behind keeps the time linear: a word is tried once, from its beginning.
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

const textMax = 4096;

/** Free text with everything that looks like a token, a password or an e-mail taken out. */
export function redactText(text: string): string {
  let redacted = text.length > textMax ? `${wholeWords(text.slice(0, textMax))}…` : text;
  for (const [pattern, replacement] of secrets) redacted = redacted.replace(pattern, replacement);
  return redacted;
}

/** Half a secret would not be recognised. */
function wholeWords(cut: string): string {
  return cut.slice(0, Math.max(cut.lastIndexOf(" "), cut.lastIndexOf("\n")) + 1);
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
  return redactText(typeof value === "string" ? value : asText(value));
}

/** JSON where there is one: a line about a failure must not fail itself. */
function asText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

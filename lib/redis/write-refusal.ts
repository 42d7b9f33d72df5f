import { safeErrors } from "../observability/safe-error.js";

const refusalCodes = ["READONLY", "NOREPLICAS", "MISCONF", "OOM", "NOPERM"] as const;
export type WriteRefusal = (typeof refusalCodes)[number];

// Such a Redis may serve stale data. Before Redis 7 the name is inside a script's error message.
export function writeRefusal(error: unknown): WriteRefusal | undefined {
  const messages = safeErrors(error)
    .map(({ message }) => message)
    .join(" ");
  return refusalCodes.find((name) => new RegExp(`(^|[-\\s])${name}\\b`).test(messages));
}

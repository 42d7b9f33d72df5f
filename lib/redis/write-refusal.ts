import { safeErrors } from "../observability/safe-error.js";

const refusalCodes = ["READONLY", "NOREPLICAS", "MISCONF", "OOM", "NOPERM"] as const;
export type WriteRefusal = (typeof refusalCodes)[number];

/** The code of a refused write: such a Redis may serve stale data. Before Redis 7 it is inside a script's error message. */
export function writeRefusal(error: unknown): WriteRefusal | undefined {
  const messages = safeErrors(error)
    .map(({ message }) => message)
    .join(" ");
  return refusalCodes.find((name) => new RegExp(`(^|[-\\s])${name}\\b`).test(messages));
}

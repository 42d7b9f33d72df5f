import { safeErrors } from "../observability/safe-error.js";

/** What Redis calls it when it answers and takes no writes. */
const refusals = ["READONLY", "NOREPLICAS", "MISCONF", "OOM", "NOPERM"] as const;
export type WriteRefusal = (typeof refusals)[number];

/**
 * Why Redis refuses writes, if that is what `error` says: it is a replica, has too few replicas, cannot
 * save to disk, is full, or gives this user no permission. What such a Redis holds may be out of date.
 * Before version 7 the name stands within the error of a script.
 */
export function writeRefusal(error: unknown): WriteRefusal | undefined {
  const said = safeErrors(error)
    .map(({ message }) => message)
    .join(" ");
  return refusals.find((name) => new RegExp(`(^|[-\\s])${name}\\b`).test(said));
}

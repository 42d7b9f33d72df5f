import type { OperatorKey } from "../../auth/operator/operator-key.js";
import type { Env } from "../../env.js";
import { addressLimitKey } from "../../ip-address.js";
import { memoizeByObject } from "../../memoize-by-object.js";
import type { LimitValues } from "../../rate-limit/count.js";
import type { Limit, PolicyName } from "../../rate-limit/policies.js";
import { limitsFor } from "../../rate-limit/subject.js";

/** An operator token counts in its own window, and as a failed attempt of its IP address until it is verified. */
export function limitsOfKey(env: Env, names: PolicyName[], key: OperatorKey): Limit[] {
  const applying = limitsFor(env, names);
  if (key.kind === "break_glass") return applying;
  const failures = limitsFor(env, ["auth-failures"]).filter(({ kind }) => kind === "ip");
  // A token's ID is not secret: a wrong secret must not use up the window of its owner.
  const own = applying.filter(({ kind }) => kind === "session");
  return [...own.map(keptIfFailed), ...failures];
}

const keptIfFailed = memoizeByObject(
  (limit: Limit): Limit => ({ ...limit, countsKept: "failures" }),
);

export function subjectOfKey(address: string | undefined, key: OperatorKey): LimitValues {
  const ip = addressLimitKey(address);
  return key.kind === "break_glass" ? { ip } : { ip, session: `ops-${key.id}` };
}

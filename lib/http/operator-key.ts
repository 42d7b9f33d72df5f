import type { Operator } from "../auth/operator/operator.js";
import {
  type OperatorKey,
  readOperatorKey,
  requireKeyHolder,
} from "../auth/operator/operator-key.js";
import type { Env } from "../env.js";
import { AppError } from "../errors.js";
import { limitedAddress } from "../ip-address.js";
import type { Subject } from "../rate-limit/count.js";
import type { Limit, PolicyName } from "../rate-limit/policies.js";
import { shownSecret } from "./authenticate.js";
import type { Client, Endpoint } from "./endpoint.js";
import type { Exchange } from "./exchange.js";
import { giveBackLater, limitsFor } from "./limits.js";

/** The key that a request to the operators' API shows in place of a person's token; without any I/O. */
export function shownOperatorKey(
  { auth }: Endpoint,
  { ctx, request }: Exchange,
): OperatorKey | undefined {
  return auth === "operator" ? readOperatorKey(ctx.env, shownSecret(request)) : undefined;
}

/**
 * What a request with a key counts in: a token in its own window, and its sender's address in the one of
 * failed attempts, until the token has proved good.
 */
export function limitsOfKey(env: Env, names: PolicyName[], key: OperatorKey): Limit[] {
  const applying = limitsFor(env, names);
  if (key.kind === "break_glass") return applying;
  const failures = limitsFor(env, ["auth-failures"]).filter(({ kind }) => kind === "ip");
  // What a wrong secret takes of the token's window is given back: its id is no secret.
  const own = applying.filter(({ kind }) => kind === "session");
  return [...own.map((limit) => ({ ...limit, keeps: "failures" as const })), ...failures];
}

export function subjectOfKey(address: string | undefined, key: OperatorKey): Subject {
  const ip = limitedAddress(address);
  return key.kind === "break_glass" ? { ip } : { ip, session: `ops-${key.id}` };
}

/** Who holds the key. Only a secret that nobody was given stays counted as a failed attempt. */
export async function requireKey(
  { operation }: Endpoint,
  { ctx }: Exchange,
  key: OperatorKey,
  { reserved }: Client,
): Promise<Operator> {
  if (!operation) throw new Error("An operators' endpoint has no operation.");
  const reservedBy = (kind: Limit["kind"]) => ({
    ...reserved,
    counts: reserved.counts.filter(({ limit }) => limit.kind === kind),
  });
  try {
    const operator = await requireKeyHolder(ctx, key, operation);
    giveBackLater(ctx, reservedBy("ip"));
    return operator;
  } catch (error) {
    const isGuess = error instanceof AppError && error.code === "token_invalid";
    giveBackLater(ctx, reservedBy(isGuess ? "session" : "ip"));
    throw error;
  }
}

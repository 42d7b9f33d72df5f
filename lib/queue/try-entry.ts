import type { Context } from "../context.js";
import type { AttemptOutcome, Entry, Failure, Kind } from "./kind.js";
import { endEntry, moveToDeadLetters, postpone } from "./settle.js";

export interface Try {
  end: "done" | "dropped" | "retried" | "died";
  pauseSeconds?: number | undefined;
}

/** Handle a leased entry and store the result. Rejects when the result cannot be stored. */
export async function tryEntry<Payload, Reads>(
  ctx: Context,
  kind: Kind<Payload, Reads>,
  claimed: Entry<unknown, Reads>,
): Promise<Try> {
  const parsed = kind.payload.safeParse(claimed.payload);
  if (!parsed.success) {
    const names = parsed.error.issues.map(({ path }) => path.join(".")).join(", ");
    const error = new Error(`The payload is not valid: ${names || "as a whole"}`);
    return die(ctx, kind, { ...claimed, payload: null }, { reason: "invalid_payload", error });
  }
  const entry = { ...claimed, payload: parsed.data };
  const outcome = await handled(ctx, kind, entry);
  if (outcome.end === "done" || outcome.end === "dropped") {
    await endEntry(ctx, kind, entry);
    return { end: outcome.end };
  }
  const { reason, payload } = outcome;
  const failure = "error" in outcome ? { reason, error: outcome.error } : { reason };
  if (outcome.end === "dead") return die(ctx, kind, entry, failure, payload);
  const { afterSeconds, pauseSeconds } = outcome;
  const delaySeconds = delayOf(kind, entry.attempt, afterSeconds);
  if (isLastTry(kind, entry, delaySeconds)) {
    return { ...(await die(ctx, kind, entry, failure, payload)), pauseSeconds };
  }
  kind.log.retried(ctx, entry, failure, delaySeconds);
  await postpone(ctx, kind, entry, { reason, payload, delaySeconds });
  return { end: "retried", pauseSeconds };
}

async function handled<Payload, Reads>(
  ctx: Context,
  kind: Kind<Payload, Reads>,
  entry: Entry<Payload, Reads>,
): Promise<AttemptOutcome<Payload> & { error?: unknown }> {
  try {
    return await kind.handle(ctx, entry);
  } catch (error) {
    return { end: "retry", reason: reasonOf(error), error };
  }
}

async function die(
  ctx: Context,
  kind: Pick<Kind, "log" | "now">,
  entry: Entry,
  failure: Failure,
  payload?: unknown,
): Promise<Try> {
  kind.log.died(ctx, entry, failure);
  await moveToDeadLetters(ctx, kind, entry, { reason: failure.reason, payload });
  return { end: "died" };
}

function isLastTry(
  { attemptsMax }: Pick<Kind, "attemptsMax">,
  entry: Entry,
  delaySeconds: number,
): boolean {
  if (attemptsMax === null) return false;
  const endMs = entry.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
  return entry.attempt >= attemptsMax || Date.now() + delaySeconds * 1000 >= endMs;
}

function delayOf(
  { backoffSeconds }: Pick<Kind, "backoffSeconds">,
  attempt: number,
  afterSeconds = 0,
): number {
  const { first, max, jitter } = backoffSeconds;
  const seconds = Math.max(Math.min(max, first * 2 ** (attempt - 1)), afterSeconds);
  return Math.ceil(seconds * (1 + Math.random() * jitter));
}

/** Without the message, which may contain personal data. */
function reasonOf(error: unknown): string {
  const { name, code } = error as { name?: string; code?: unknown };
  return [name ?? "Error", code]
    .filter((part) => typeof part === "string")
    .join(" ")
    .slice(0, 200);
}

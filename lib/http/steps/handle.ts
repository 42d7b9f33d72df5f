import type { AccessClaims } from "../../auth/token/access-token.js";
import { AlreadyWritten, findIdempotentResult } from "../../db/write-once.js";
import { AppError, catalogue } from "../../errors.js";
import type { AnyInput, CallerInfo, Identity } from "../endpoint.js";
import type { Call } from "../exchange.js";
import { Reply, replyOf } from "../reply.js";
import { idempotencyKeyOf } from "./idempotency-key.js";
import type { Body } from "./read-body.js";
import type { Caller } from "./require-caller.js";
import type { Progress } from "./settle.js";

interface Gathered extends Body, Caller {
  query: unknown;
  identity: Identity;
  claims: AccessClaims | undefined;
  caller: CallerInfo;
}

/** Runs `replay` instead of the handler (or after it failed) when the Idempotency-Key has a result already. */
export async function handle(
  { endpoint, request, ctx, params }: Call,
  gathered: Gathered,
  progress: Progress,
): Promise<Reply> {
  const input = { ctx, headers: request.headers, params, ...gathered } as AnyInput;
  const { replies, replay } = endpoint;
  progress.stage = "handler";
  const handled = async () => replyOf(replies, await endpoint.handle(input));
  if (!replay) return handled();
  const { claims, body } = gathered;
  const key = idempotencyKeyOf(ctx, request, claims?.userId, body);
  if (!key) return handled();
  ctx.idempotency = key;
  const replayed = async (resultId: string) => {
    progress.stage = "replay";
    const reply = replyOf(replies, await replay({ ...input, resultId }));
    return new Reply(reply.status, reply.body, { ...reply.headers, "Idempotent-Replayed": "true" });
  };
  const before = await findIdempotentResult(ctx, key);
  if (before !== null) return replayed(before);
  try {
    return await handled();
  } catch (error) {
    // A request with the same key may have come first and used up what this one needed.
    const written = isRefusal(error) ? await findIdempotentResult(ctx, key) : null;
    if (written === null) throw error;
    return replayed(written);
  }
}

function isRefusal(error: unknown): boolean {
  if (error instanceof AlreadyWritten) return true;
  return error instanceof AppError && catalogue[error.code].status < 500;
}

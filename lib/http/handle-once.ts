import { AlreadyWritten, findWritten } from "../db/write-once.js";
import { AppError, catalogue } from "../errors.js";
import type { AnyInput, Endpoint } from "./endpoint.js";
import { idempotencyKeyOf } from "./idempotency.js";
import { giveBackLater } from "./limits.js";
import { Reply, replyOf } from "./reply.js";

/** The handler's answer, or that to the same write done before under the same Idempotency-Key. */
export async function handleOnce(
  endpoint: Endpoint,
  request: Request,
  input: AnyInput,
): Promise<Reply> {
  const { replay } = endpoint;
  const handled = async () => replyOf(endpoint, await endpoint.handle(input));
  if (!replay) return handled();
  const { ctx, claims, body } = input;
  const key = idempotencyKeyOf(ctx, request, claims?.userId, body);
  if (!key) return handled();
  ctx.idempotency = key;
  const answerAgain = async (resultId: string) => {
    giveBackLater(ctx, input.client.reserved);
    const reply = replyOf(endpoint, await replay({ ...input, resultId }));
    return new Reply(reply.status, reply.body, { ...reply.headers, "Idempotent-Replayed": "true" });
  };
  const before = await findWritten(ctx, key);
  if (before !== null) return answerAgain(before);
  try {
    return await handled();
  } catch (error) {
    // Another request with the same key may have been faster, and used up what this one needed.
    const written = isRefusal(error) ? await findWritten(ctx, key) : null;
    if (written === null) throw error;
    return answerAgain(written);
  }
}

function isRefusal(error: unknown): boolean {
  if (error instanceof AlreadyWritten) return true;
  return error instanceof AppError && catalogue[error.code].status < 500;
}

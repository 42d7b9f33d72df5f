import { and, eq } from "drizzle-orm";
import type { BatchItem, BatchResponse } from "drizzle-orm/batch";
import type { Context, IdempotencyKey } from "../context.js";
import { AppError } from "../errors.js";
import { violatesUnique } from "./failures.js";
import { idempotencyKeys } from "./schema/user-data.js";

/** The request's Idempotency-Key was used before: its write is done, and must not be done again. */
export class AlreadyWritten extends Error {
  override readonly name = "AlreadyWritten";
}

/**
 * Run the statements of a write as one transaction, at most once for the request's Idempotency-Key.
 * `resultId` is what the reply to a repetition is made from. Of two at once, the second waits on the
 * key's row, changes nothing, and throws `AlreadyWritten`, which the request's pass answers.
 */
export async function writeOnce<T extends Statements>(
  ctx: Context,
  resultId: string,
  statements: readonly [...T],
): Promise<BatchResponse<T>> {
  const { db, idempotency, now } = ctx;
  if (!idempotency) return db.batch(statements as T);
  const row = { ...idempotency, resultId, createdAt: now };
  try {
    const [, ...results] = await db.batch([
      db.insert(idempotencyKeys).values(row),
      ...(statements as T),
    ] as unknown as Statements);
    return results as BatchResponse<T>;
  } catch (error) {
    if (violatesUnique(error, "idempotency_keys_pkey")) throw new AlreadyWritten();
    throw error;
  }
}

type Statements = [BatchItem<"pg">, ...BatchItem<"pg">[]];

/**
 * The id of what was written under the key before, or null. Throws `idempotency_mismatch` when it was
 * another request.
 */
export async function findWritten(
  ctx: Context,
  { scope, key, bodyHash }: IdempotencyKey,
): Promise<string | null> {
  const [written] = await ctx.db
    .select()
    .from(idempotencyKeys)
    .where(and(eq(idempotencyKeys.scope, scope), eq(idempotencyKeys.key, key)));
  if (!written) return null;
  if (written.bodyHash !== bodyHash) throw new AppError("idempotency_mismatch");
  return written.resultId;
}

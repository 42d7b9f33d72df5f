import { and, eq } from "drizzle-orm";
import type { BatchItem, BatchResponse } from "drizzle-orm/batch";
import type { Context, IdempotencyKey } from "../context.js";
import { AppError } from "../errors.js";
import { violatesUnique } from "./failures.js";
import { idempotencyKeys } from "./schema/user-data.js";

export class AlreadyWritten extends Error {
  override readonly name = "AlreadyWritten";
}

/** One transaction, at most once per Idempotency-Key if there is one. A retry throws `AlreadyWritten`; `resultId` is for its reply. */
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

/** The `resultId`, or null. Throws `idempotency_mismatch` when the key was used with another body. */
export async function findIdempotentResult(
  ctx: Context,
  { scope, key, bodyHash }: IdempotencyKey,
): Promise<string | null> {
  const [existing] = await ctx.db
    .select()
    .from(idempotencyKeys)
    .where(and(eq(idempotencyKeys.scope, scope), eq(idempotencyKeys.key, key)));
  if (!existing) return null;
  if (existing.bodyHash !== bodyHash) throw new AppError("idempotency_mismatch");
  return existing.resultId;
}

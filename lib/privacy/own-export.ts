import { auditRow } from "../audit/audit.js";
import { securityEvent } from "../audit/security-events.js";
import type { Actor, Context } from "../context.js";
import { AppError } from "../errors.js";
import type { Reservation } from "../rate-limit/count.js";
import { release } from "../rate-limit/reservation.js";
import { openExport } from "./export.js";

/** Audited. One that breaks off on our side does not count in the limit; one that the client aborts does. Throws `session_revoked`. */
export async function exportOwnData(
  ctx: Context,
  { userId }: Actor,
  reserved: Reservation,
): Promise<AsyncGenerator<string, void>> {
  const counted = { ...reserved };
  const actor = { kind: "user", id: userId } as const;
  const parts = await openExport(ctx, userId, () => release(ctx, counted)).catch((error) => {
    const isGone = error instanceof AppError && error.code === "not_found";
    throw isGone ? new AppError("session_revoked") : error;
  });
  await auditRow(ctx, { actor, action: "data.exported", subjectId: userId });
  securityEvent(ctx, "data_exported", { userId });
  return parts;
}

export const exportFileName = ({ now }: Pick<Context, "now">) =>
  `linguamate-data-${now.toISOString().slice(0, 10)}.json`;

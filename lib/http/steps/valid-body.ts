import type * as z from "zod";
import { securityEvent } from "../../audit/security-events.js";
import type { Context } from "../../context.js";
import { AppError } from "../../errors.js";
import { validated } from "./validation.js";

/** Fields that only the server sets. */
const privileged = ["role", "isAdmin", "isPremium", "userId", "email", "emailVerified"];

/** Throws `validation_failed`. An unknown field that only the server sets is a security event. */
export function validBody<S extends z.ZodType>(
  ctx: Context,
  schema: S,
  value: unknown,
  userId: string | undefined,
): z.output<S> {
  try {
    return validated(schema, value);
  } catch (error) {
    const tried = error instanceof AppError ? privilegedFields(error) : [];
    if (tried.length > 0) {
      const data = { reason: tried.join(" ") };
      securityEvent(ctx, "privilege_escalation_attempt", { userId, data });
    }
    throw error;
  }
}

function privilegedFields({ fields }: AppError): string[] {
  const unknown = fields.filter(({ code }) => code === "unrecognized_keys");
  const names = unknown.map(({ pointer }) => pointer.slice(pointer.lastIndexOf("/") + 1));
  return privileged.filter((name) => names.includes(name));
}

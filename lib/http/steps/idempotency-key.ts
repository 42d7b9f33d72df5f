import { createHash } from "node:crypto";
import type { Context, IdempotencyKey } from "../../context.js";
import { keyedHash } from "../../crypto/secret.js";
import { AppError } from "../../errors.js";

/**
 * Bare, or in quotes as a structured field's string (RFC 8941) is written: visible ASCII, but for what has
 * a meaning there (`"` and `\`) and the comma, which stands between two headers of one name.
 */
const form = /^("?)([!#-+\--[\]-~]{8,128})\1$/;
/** Without an account around it a key must be beyond guessing: 128 bits are 22 characters of base64. */
const anonymousLengthMin = 22;

/**
 * The request's Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), or undefined. Throws
 * `idempotency_key_invalid`.
 */
export function idempotencyKeyOf(
  ctx: Context,
  request: Request,
  userId: string | undefined,
  body: unknown,
): IdempotencyKey | undefined {
  const given = request.headers.get("idempotency-key");
  if (given === null) return undefined;
  const [, , key = ""] = form.exec(given) ?? [];
  const lengthMin = userId === undefined ? anonymousLengthMin : 1;
  if (key.length < lengthMin) throw new AppError("idempotency_key_invalid");
  const { pathname, search } = new URL(request.url);
  const sent = `${request.method} ${pathname}${search}\n${JSON.stringify(body) ?? ""}`;
  return {
    scope: userId ?? "anonymous",
    // A guest's key leads to the guest's tokens: in the table it must be of no use to whoever reads it.
    key: createHash("sha256").update(key).digest("base64url"),
    bodyHash: keyedHash(ctx.env, "idempotent-body", sent),
  };
}

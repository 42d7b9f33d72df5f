import { createHash } from "node:crypto";
import type { Context, IdempotencyKey } from "../../context.js";
import { keyedHash } from "../../crypto/secret.js";
import { AppError } from "../../errors.js";

/** Bare, or quoted as a string of RFC 8941: visible ASCII without `"`, `\` and the comma. */
const form = /^("?)([!#-+\--[\]-~]{8,128})\1$/;
/** A key without an account must not be guessable: 128 bits are 22 characters of base64. */
const anonymousLengthMin = 22;

/**
 * Hashes: one of the key, one of method, path, query and body. Undefined without the header. Throws
 * `idempotency_key_invalid`: it must have 8 to 128 characters, at least 22 without an account.
 * Source: draft-ietf-httpapi-idempotency-key-header.
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
    // Hashed, because the key of a guest gives access to the guest's tokens.
    key: createHash("sha256").update(key).digest("base64url"),
    bodyHash: keyedHash(ctx.env, "idempotent-body", sent),
  };
}

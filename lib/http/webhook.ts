import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import { equalSecrets } from "../crypto/secret.js";
import { AppError } from "../errors.js";

/** `id` is the same for a repeated delivery. */
export interface WebhookDelivery {
  id: string;
  event: unknown;
}

/** Visible ASCII without the dot, which separates the signed parts. */
const idForm = /^[!-\-/-~]{1,256}$/;
/** The library also reads `1700000000x`, and signs the number. */
const timestampForm = /^[1-9]\d{0,11}$/;
const signatureForm = /^[^ ,]+,[^ ,]+(?: [^ ,]+,[^ ,]+)*$/;

/**
 * The event in a body that was signed with `secret` within five minutes of now (standardwebhooks.com, Svix).
 * Throws `webhook_signature_invalid`, also without a secret, with a security event; and `malformed_body`.
 */
export function verifiedDelivery(
  ctx: Context,
  headers: Headers,
  raw: string,
  secret: string | undefined,
): WebhookDelivery {
  const prefix = headers.has("svix-id") ? "svix" : "webhook";
  const shown = (name: string) => headers.get(`${prefix}-${name}`) ?? "";
  const id = shown("id");
  try {
    if (!secret) throw new Error("No webhook secret is set.");
    const [timestamp, signature] = [shown("timestamp"), shown("signature")];
    if (!idForm.test(id) || !timestampForm.test(timestamp) || !signatureForm.test(signature)) {
      throw new Error("A header of the signature is malformed.");
    }
    const signed = {
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": signature,
    };
    new Webhook(secret).verify(raw, signed, { jsonParse: false });
  } catch (cause) {
    securityEvent(ctx, "webhook_signature_invalid");
    throw new AppError("webhook_signature_invalid", { cause });
  }
  return { id, event: parsed(raw) };
}

/**
 * The event in a body that Vercel signed: HMAC-SHA1 of the raw body, in hexadecimal (vercel.com/docs/webhooks/webhooks-api).
 * The signature has no time, so a delivery can be repeated for ever. Throws as `verifiedDelivery` does.
 */
export function verifiedVercelEvent(
  ctx: Context,
  headers: Headers,
  raw: string,
  secret: string | undefined,
): unknown {
  const given = headers.get("x-vercel-signature") ?? "";
  if (!secret || !equalSecrets(given, createHmac("sha1", secret).update(raw).digest("hex"))) {
    securityEvent(ctx, "webhook_signature_invalid");
    throw new AppError("webhook_signature_invalid");
  }
  return parsed(raw);
}

function parsed(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch (cause) {
    throw new AppError("malformed_body", { cause });
  }
}

import { Webhook } from "standardwebhooks";
import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import { AppError } from "../errors.js";

/** A webhook's delivery: `id` stays the same when the sender repeats it. */
export interface WebhookDelivery {
  id: string;
  event: unknown;
}

/**
 * The event in a body that was signed under `secret` at most five minutes ago (standardwebhooks.com,
 * whose headers Svix names `svix-…`). Throws `webhook_signature_invalid`, also while there is no
 * secret, or `malformed_body`.
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
    if (!secret) throw new Error("There is no secret.");
    const signed = {
      "webhook-id": id,
      "webhook-timestamp": shown("timestamp"),
      "webhook-signature": shown("signature"),
    };
    new Webhook(secret).verify(raw, signed, { jsonParse: false });
  } catch (cause) {
    securityEvent(ctx, "webhook_signature_invalid");
    throw new AppError("webhook_signature_invalid", { cause });
  }
  try {
    return { id, event: JSON.parse(raw) };
  } catch (cause) {
    throw new AppError("malformed_body", { cause });
  }
}

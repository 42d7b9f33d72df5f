import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { verifiedDelivery } from "../../lib/http/webhook.js";
import { handleMailFeedback, MailFeedback } from "../../lib/user/mail-feedback.js";

const POST = endpoint({
  summary:
    "Receive bounces, complaints and deliveries from the mail provider. Other events are ignored.",
  auth: "webhook",
  limits: [],
  anyHost: true,
  event: MailFeedback,
  bodyBytesMax: 256 * 1024,
  replies: { 204: null },
  errors: ["webhook_signature_invalid"],
  handle: ({ ctx, headers, raw }) =>
    handleMailFeedback(ctx, verifiedDelivery(ctx, headers, raw, ctx.env.mail.webhookSecret)),
});

export default route("/api/webhooks/mail", { POST });

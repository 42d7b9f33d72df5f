import * as z from "zod";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { findSuppression, MailSuppression } from "../../../lib/mail/suppression.js";
import { EmailAddress, validEmail } from "../../../lib/user/email-address.js";

const POST = endpoint({
  summary: "Read whether mail to an address is suppressed.",
  auth: "operator",
  operation: { scope: "mail", kind: "read" },
  limits: ["default"],
  // In the body, because platforms log URLs.
  body: z.strictObject({ email: EmailAddress }),
  replies: { 200: z.strictObject({ items: z.array(MailSuppression).max(1) }) },
  errors: [],
  async handle({ ctx, body }) {
    const found = await findSuppression(ctx, validEmail(body.email));
    return { items: found ? [found] : [] };
  },
});

export default route("/api/ops/mail-suppressions/find", { POST });

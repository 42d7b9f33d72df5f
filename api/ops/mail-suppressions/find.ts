import * as z from "zod";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import {
  findMailSuppressions,
  MailSuppressions,
  SuppressedAddress,
} from "../../../lib/operations/mail-suppressions.js";

const POST = endpoint({
  summary: "Read whether mail to an address is suppressed.",
  auth: "operator",
  operation: { scope: "mail", kind: "read" },
  limits: ["default"],
  // In the body, because platforms log URLs.
  body: z.strictObject(SuppressedAddress),
  replies: { 200: MailSuppressions },
  errors: [],
  handle: ({ ctx, body }) => findMailSuppressions(ctx, body.email),
});

export default route("/api/ops/mail-suppressions/find", { POST });

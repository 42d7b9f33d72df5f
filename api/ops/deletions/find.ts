import * as z from "zod";
import { AccountName } from "../../../lib/auth/operator/subject.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { Deletions } from "../../../lib/operations/deletion-list.js";
import { findDeletion } from "../../../lib/operations/deletions.js";

const POST = endpoint({
  summary: "Read whether an account is pending deletion, or was erased.",
  auth: "operator",
  operation: { scope: "gdpr", kind: "read" },
  limits: ["default"],
  // In the body, because platforms log URLs.
  body: z.strictObject({ user: AccountName }),
  replies: { 200: Deletions },
  errors: ["not_found"],
  handle: ({ ctx, body }) => findDeletion(ctx, body.user),
});

export default route("/api/ops/deletions/find", { POST });

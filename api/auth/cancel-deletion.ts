import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { Cancellation, cancelDeletionByToken } from "../../lib/privacy/cancel-deletion.js";

const POST = endpoint({
  summary:
    "Cancel the deletion of an account, within 14 days, with the token of the request or of the mail. Sign in again afterwards.",
  // Every session ended with the request.
  auth: "anonymous",
  limits: ["auth-calls"],
  body: Cancellation,
  replies: { 204: null },
  errors: ["code_invalid"],
  handle: ({ ctx, body }) => cancelDeletionByToken(ctx, body),
  replay: async () => undefined,
});

export default route("/api/auth/cancel-deletion", { POST });

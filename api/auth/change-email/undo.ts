import { EmailChangeUndo, undoEmailChange } from "../../../lib/auth/email/undo-email-change.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";

const POST = endpoint({
  summary: "Give the account back to the old address, by the token that was mailed there.",
  // Whoever has to undo a change may have lost the session with it.
  auth: "anonymous",
  limits: ["auth-calls"],
  body: EmailChangeUndo,
  replies: { 204: null },
  errors: ["code_invalid"],
  handle: ({ ctx, body }) => undoEmailChange(ctx, body),
  replay: async () => undefined,
});

export default route("/api/auth/change-email/undo", { POST });

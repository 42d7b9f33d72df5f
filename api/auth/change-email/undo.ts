import { EmailChangeUndo, undoEmailChange } from "../../../lib/auth/email/undo-email-change.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";

const POST = endpoint({
  summary:
    "Undo a change of e-mail with the token that was mailed to the old address. Also removes the password and a recent second factor; every session ends.",
  // The owner may have lost every session with the change.
  auth: "anonymous",
  limits: ["auth-calls"],
  body: EmailChangeUndo,
  replies: { 204: null },
  errors: ["code_invalid"],
  handle: ({ ctx, body }) => undoEmailChange(ctx, body),
  replay: async () => undefined,
});

export default route("/api/auth/change-email/undo", { POST });

import * as z from "zod";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { inspectToken, TokenInspection } from "../../../lib/operations/jwt.js";

const POST = endpoint({
  summary:
    "Inspect a token: its claims, whether we accept it, and the reason. It is not stored or logged.",
  auth: "operator",
  operation: { scope: "jwt", kind: "read" },
  limits: ["default"],
  body: z.strictObject({
    token: z
      .string()
      .trim()
      .min(1)
      .max(4096)
      .meta({
        examples: [
          "rt1.AAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ],
      }),
  }),
  replies: { 200: TokenInspection },
  errors: [],
  handle: ({ ctx, body }) => inspectToken(ctx, body.token),
});

export default route("/api/ops/jwt/inspections", { POST });

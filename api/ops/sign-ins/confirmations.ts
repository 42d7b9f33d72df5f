import * as z from "zod";
import { confirmOperator } from "../../../lib/auth/operator/confirm-operator.js";
import { FreshAccessToken } from "../../../lib/auth/reauthenticate.js";
import { Otp } from "../../../lib/auth/second-factor/second-factor.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";

const POST = endpoint({
  summary:
    "Confirm the second factor: get an access token with a new auth_time, as changes require.",
  auth: "user",
  limits: ["default", "auth-failures"],
  body: z.strictObject({ otp: Otp.meta({ examples: ["123456"] }) }),
  replies: { 200: FreshAccessToken },
  errors: ["forbidden", "otp_invalid"],
  handle: ({ ctx, actor, body }) => confirmOperator(ctx, actor, body.otp),
});

export default route("/api/ops/sign-ins/confirmations", { POST });

import {
  FreshAccessToken,
  Reauthentication,
  reauthenticate,
} from "../../lib/auth/reauthenticate.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "Reauthenticate: get an access token with a new auth_time.",
  auth: "user",
  limits: ["default", "auth-failures"],
  body: Reauthentication,
  replies: { 200: FreshAccessToken },
  errors: ["invalid_credentials", "otp_required", "otp_invalid"],
  handle: ({ ctx, actor, body }) => reauthenticate(ctx, actor, body),
});

export default route("/api/auth/reauthenticate", { POST });

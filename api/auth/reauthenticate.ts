import {
  FreshAccessToken,
  Reauthentication,
  reauthenticate,
} from "../../lib/auth/reauthenticate.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { giveBackLater } from "../../lib/http/limits.js";
import { route } from "../../lib/http/route.js";

const POST = endpoint({
  summary: "An access token with a fresh auth_time, for whoever shows again who they are.",
  auth: "user",
  limits: ["default", "auth-failures"],
  body: Reauthentication,
  replies: { 200: FreshAccessToken },
  errors: ["invalid_credentials", "otp_required", "otp_invalid", "service_unavailable"],
  async handle({ ctx, actor, body, client }) {
    const token = await reauthenticate(ctx, actor, body);
    giveBackLater(ctx, client.reserved);
    return token;
  },
});

export default route("/api/auth/reauthenticate", { POST });

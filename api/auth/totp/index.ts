import {
  beginEnrolment,
  getPendingEnrolment,
  getSecondFactorState,
  removeSecondFactor,
  SecondFactorState,
  TotpEnrolment,
} from "../../../lib/auth/second-factor/enrolment.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = endpoint({
  summary: "Read the state of the second factor and the number of recovery codes.",
  auth: "user",
  limits: ["default"],
  replies: { 200: SecondFactorState },
  errors: [],
  handle: ({ ctx, actor }) => getSecondFactorState(ctx, actor.userId),
});

const POST = endpoint({
  summary: "Start the enrolment of an authenticator app. It is active after its confirmation.",
  auth: "user",
  stepUp: true,
  limits: ["default"],
  replies: { 200: TotpEnrolment },
  errors: ["email_unverified", "second_factor_enrolled", "second_factor_changed"],
  handle: ({ ctx, actor }) => beginEnrolment(ctx, actor.userId),
  replay: ({ ctx, actor, resultId }) => getPendingEnrolment(ctx, actor.userId, resultId),
});

const DELETE = endpoint({
  summary:
    "Remove the second factor. Requires a recent reauthentication with it; other sessions end.",
  auth: "user",
  stepUp: true,
  limits: ["default"],
  replies: { 204: null },
  errors: ["last_admin"],
  handle: ({ ctx, actor, claims }) => removeSecondFactor(ctx, actor, claims),
  replay: async () => undefined,
});

export default route("/api/auth/totp", { GET, POST, DELETE });

import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { completeOnboarding, OnboardingAnswers } from "../../lib/user/profile.js";
import { getUser, User } from "../../lib/user/user.js";

const POST = endpoint({
  summary: "Save the answers of the onboarding. Can be repeated.",
  auth: "user",
  limits: ["default"],
  body: OnboardingAnswers,
  replies: { 200: User },
  errors: ["time_zone_changed_recently"],
  handle: ({ ctx, actor, body }) => completeOnboarding(ctx, actor, body),
  replay: ({ ctx, actor }) => getUser(ctx, actor.userId),
});

export default route("/api/user/onboarding", { POST });

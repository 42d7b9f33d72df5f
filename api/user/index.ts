import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { ProfileChanges, updateProfile } from "../../lib/user/profile.js";
import { getUser, User } from "../../lib/user/user.js";

const GET = endpoint({
  summary: "Read the own account.",
  auth: "user",
  limits: ["default"],
  replies: { 200: User },
  errors: [],
  handle: ({ ctx, actor }) => getUser(ctx, actor.userId),
});

const PATCH = endpoint({
  summary: "Change the own profile. 409 for a second change of the time zone within 20 hours.",
  auth: "user",
  limits: ["default"],
  body: ProfileChanges,
  replies: { 200: User },
  errors: ["time_zone_changed_recently"],
  handle: ({ ctx, actor, body }) => updateProfile(ctx, actor, body),
  replay: ({ ctx, actor }) => getUser(ctx, actor.userId),
});

export default route("/api/user", { GET, PATCH });

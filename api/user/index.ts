import { Reauthentication } from "../../lib/auth/reauthenticate.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { isStepUpFresh } from "../../lib/http/steps/require-caller.js";
import { requestDeletion, ScheduledDeletion } from "../../lib/privacy/request-deletion.js";
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

const DELETE = endpoint({
  summary:
    "Delete the own account: every session ends, and in 14 days all data is erased, of a guest at once. Needs a recent sign-in, or the password (with a second factor also its code). When the reply is lost, repeat it: the ended session still gets the token, also with an expired access token.",
  auth: "token",
  limits: ["default", "auth-failures"],
  body: Reauthentication,
  replies: { 202: ScheduledDeletion },
  errors: [
    "token_expired",
    "session_revoked",
    "session_expired",
    "reauth_required",
    "invalid_credentials",
    "otp_required",
    "otp_invalid",
    "last_admin",
    "not_found",
  ],
  handle: ({ ctx, caller, body, claims }) => {
    const isFresh = isStepUpFresh(ctx, claims);
    return requestDeletion(ctx, { claims, session: caller.session, isFresh }, body);
  },
});

export default route("/api/user", { GET, PATCH, DELETE });

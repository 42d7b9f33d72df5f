import { AppFlags, appFlags } from "../lib/admission/app-flags.js";
import { endpoint } from "../lib/http/endpoint.js";
import { digestOf, etagOf, isKnown } from "../lib/http/etag.js";
import { Reply } from "../lib/http/reply.js";
import { route } from "../lib/http/route.js";

const GET = endpoint({
  summary:
    "Read the feature flags of the caller, signed in or not. 304 for a matching If-None-Match.",
  auth: "optional",
  limits: ["default"],
  headers: ["If-None-Match"],
  replies: {
    200: { body: AppFlags, headers: ["ETag"] },
    304: { body: null, headers: ["ETag"] },
  },
  errors: [],
  async handle({ ctx, claims, headers }) {
    // An expired token gets the flags of a signed-out caller.
    const userId = claims && !claims.isExpired ? claims.userId : undefined;
    const flags = await appFlags(ctx, userId);
    // A hash of the body, because callers with the same flag record get different flags.
    const version = digestOf(flags);
    const tag = { ETag: etagOf(version), Vary: "Origin, Authorization" };
    return isKnown(headers, version) ? new Reply(304, undefined, tag) : new Reply(200, flags, tag);
  },
});

export default route("/api/flags", { GET });

import { AppFlags, appFlags } from "../lib/admission/app-flags.js";
import { endpoint } from "../lib/http/endpoint.js";
import { digestOf, etagOf, isKnown } from "../lib/http/etag.js";
import { Reply } from "../lib/http/reply.js";
import { route } from "../lib/http/route.js";

const GET = endpoint({
  summary: "Which features the caller has, signed in or not; 304 when If-None-Match names it.",
  auth: "optional",
  limits: ["default"],
  headers: ["If-None-Match"],
  replies: {
    200: { body: AppFlags, headers: ["ETag"] },
    304: { body: null, headers: ["ETag"] },
  },
  errors: [],
  async handle({ ctx, claims, headers }) {
    // Who has signed out since then is told what everybody is.
    const userId = claims && !claims.isExpired ? claims.userId : undefined;
    const flags = await appFlags(ctx, userId);
    // Of what is told: who signs in may have kept what others are told of the same record.
    const version = digestOf(flags);
    const tag = { ETag: etagOf(version), Vary: "Origin, Authorization" };
    return isKnown(headers, version) ? new Reply(304, undefined, tag) : new Reply(200, flags, tag);
  },
});

export default route("/api/flags", { GET });

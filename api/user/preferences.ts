import { endpoint } from "../../lib/http/endpoint.js";
import { etagOf, isKnown, requireIfMatch } from "../../lib/http/etag.js";
import { Reply } from "../../lib/http/reply.js";
import { route } from "../../lib/http/route.js";
import {
  getPreferences,
  PreferenceProfile,
  replacePreferences,
  type VersionedPreferences,
} from "../../lib/user/preferences.js";

const preferencesReply = { body: PreferenceProfile, headers: ["ETag"] } as const;

const GET = endpoint({
  summary: "Read the learning preferences with their ETag. 304 for a matching If-None-Match.",
  auth: "user",
  limits: ["default"],
  headers: ["If-None-Match"],
  replies: { 200: preferencesReply, 304: { body: null, headers: ["ETag"] } },
  errors: [],
  async handle({ ctx, actor, headers }) {
    const current = await getPreferences(ctx, actor);
    if (!isKnown(headers, current.version)) return presented(current);
    return new Reply(304, undefined, headersOf(current));
  },
});

const PUT = endpoint({
  summary: "Replace the learning preferences. 412 when If-Match does not match.",
  auth: "user",
  limits: ["default"],
  body: PreferenceProfile,
  headers: ["If-Match"],
  replies: { 200: preferencesReply },
  errors: ["precondition_required", "precondition_failed"],
  handle: async ({ ctx, actor, body, headers }) =>
    presented(await replacePreferences(ctx, actor, body, requireIfMatch(headers))),
  replay: async ({ ctx, actor }) => presented(await getPreferences(ctx, actor)),
});

function presented(current: VersionedPreferences) {
  return new Reply(200, current.profile, headersOf(current));
}

/** `no-transform`: compression makes an ETag weak, and a weak ETag never passes If-Match. */
function headersOf({ version }: VersionedPreferences) {
  return { ETag: etagOf(version), "Cache-Control": "no-store, no-transform" };
}

export default route("/api/user/preferences", { GET, PUT });

import { findLanguages, LanguagePage, LanguageSearch } from "../lib/content/languages.js";
import { endpoint } from "../lib/http/endpoint.js";
import { route } from "../lib/http/route.js";
import { sharedReply } from "../lib/http/shared-reply.js";

const GET = endpoint({
  summary: "Find languages by tag or name: the exact tag first, then by the beginning of a name.",
  auth: "anonymous",
  limits: ["default"],
  isShared: true,
  query: LanguageSearch,
  headers: ["If-None-Match"],
  replies: {
    200: { body: LanguagePage, headers: ["ETag"] },
    304: { body: null, headers: ["ETag"] },
  },
  errors: [],
  handle: async ({ query, headers }) =>
    sharedReply<LanguagePage>(JSON.stringify(findLanguages(query)), headers),
});

export default route("/api/languages", { GET });

import * as z from "zod";
import { LearnContent } from "../../lib/content/bodies.js";
import { findLearnContent } from "../../lib/content/catalogue.js";
import { catalogueEndpoint } from "../../lib/http/catalogue-endpoint.js";
import { route } from "../../lib/http/route.js";
import { LanguageTag } from "../../lib/user/language-tag.js";

const GET = catalogueEndpoint({
  summary:
    "Read the alphabet, sounds, numbers, words, phrases, grammar and dialogues of a language, for speakers of another.",
  query: z.strictObject({ native: LanguageTag }),
  reply: LearnContent,
  cachedAs: ({ params, url }) =>
    `learn:${canonical(params.targetLanguage)}:${canonical(url.searchParams.get("native"))}`,
  async read({ ctx, params, query }) {
    const { data: target } = LanguageTag.safeParse(params.targetLanguage);
    return target ? findLearnContent(ctx, target, query.native) : null;
  },
});

/** Empty for text that is no language tag: no course has that name. */
const canonical = (tag: string | null | undefined) => LanguageTag.safeParse(tag).data ?? "";

export default route("/api/learn/:targetLanguage", { GET });

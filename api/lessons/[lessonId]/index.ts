import * as z from "zod";
import { Lesson } from "../../../lib/content/bodies.js";
import { findLesson } from "../../../lib/content/catalogue.js";
import { catalogueEndpoint } from "../../../lib/http/catalogue-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = catalogueEndpoint({
  summary: "Read a lesson: what it teaches and pays. Its exercises come with an attempt.",
  reply: Lesson,
  cachedAs: ({ params }) => `lesson:${params.lessonId}`,
  async read({ ctx, params }) {
    const { data: lessonId } = z.uuid().safeParse(params.lessonId);
    return lessonId ? findLesson(ctx, lessonId) : null;
  },
});

export default route("/api/lessons/:lessonId", { GET });

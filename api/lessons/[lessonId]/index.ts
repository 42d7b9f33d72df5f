import { Lesson } from "../../../lib/content/bodies.js";
import { findLesson } from "../../../lib/content/catalogue.js";
import { catalogueEndpoint } from "../../../lib/http/catalogue-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { uuidParam } from "../../../lib/http/uuid-param.js";

const GET = catalogueEndpoint({
  summary: "Read a lesson: what it teaches and pays. Its exercises come with an attempt.",
  reply: Lesson,
  cachedAs: ({ params }) => `lesson:${params.lessonId?.toLowerCase()}`,
  read: async ({ ctx, params }) => findLesson(ctx, uuidParam(params.lessonId)),
});

export default route("/api/lessons/:lessonId", { GET });

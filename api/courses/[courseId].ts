import { Course } from "../../lib/content/bodies.js";
import { findCourse } from "../../lib/content/catalogue.js";
import { catalogueEndpoint } from "../../lib/http/catalogue-endpoint.js";
import { route } from "../../lib/http/route.js";
import { uuidParam } from "../../lib/http/uuid-param.js";

const GET = catalogueEndpoint({
  summary: "Read a course with its units and lessons.",
  reply: Course,
  cachedAs: ({ params }) => `course:${params.courseId?.toLowerCase()}`,
  read: async ({ ctx, params }) => findCourse(ctx, uuidParam(params.courseId)),
});

export default route("/api/courses/:courseId", { GET });

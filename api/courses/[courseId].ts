import * as z from "zod";
import { Course } from "../../lib/content/bodies.js";
import { findCourse } from "../../lib/content/catalogue.js";
import { catalogueEndpoint } from "../../lib/http/catalogue-endpoint.js";
import { route } from "../../lib/http/route.js";

const GET = catalogueEndpoint({
  summary: "Read a course with its units and lessons.",
  reply: Course,
  cachedAs: ({ params }) => `course:${params.courseId}`,
  async read({ ctx, params }) {
    const { data: courseId } = z.uuid().safeParse(params.courseId);
    return courseId ? findCourse(ctx, courseId) : null;
  },
});

export default route("/api/courses/:courseId", { GET });

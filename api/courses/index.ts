import { CourseList, listCourses } from "../../lib/content/catalogue.js";
import { catalogueEndpoint } from "../../lib/http/catalogue-endpoint.js";
import { route } from "../../lib/http/route.js";

const GET = catalogueEndpoint({
  summary: "List the courses, by the language that they teach.",
  reply: CourseList,
  cachedAs: () => "courses",
  read: ({ ctx }) => listCourses(ctx),
});

export default route("/api/courses", { GET });

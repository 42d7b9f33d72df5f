import { endpoint } from "../lib/http/endpoint.js";
import { route } from "../lib/http/route.js";
import { getProgress, Progress, ProgressQuery } from "../lib/learning/progress.js";

const GET = endpoint({
  summary: "Read the own progress: points, level, league, and the state of each lesson by course.",
  auth: "user",
  limits: ["default"],
  query: ProgressQuery,
  replies: { 200: Progress },
  errors: ["not_found"],
  handle: ({ ctx, actor, query }) => getProgress(ctx, actor, query.course),
});

export default route("/api/progress", { GET });

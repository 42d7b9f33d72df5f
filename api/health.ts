import { Health, health } from "../lib/health/health.js";
import { endpoint } from "../lib/http/endpoint.js";
import { Reply } from "../lib/http/reply.js";
import { route } from "../lib/http/route.js";

/** Source: draft-inadarei-api-health-check. */
const healthReply = { body: Health, contentType: "application/health+json" };

const GET = endpoint({
  summary:
    "Check the server, Postgres, Redis and the toolkit, at most every 5 s. 503 when Postgres is down.",
  auth: "anonymous",
  limits: [],
  replies: { 200: healthReply, 503: healthReply },
  errors: [],
  handle: async ({ ctx }) => {
    const state = await health(ctx);
    return state.status === "fail" ? new Reply(503, state) : new Reply(200, state);
  },
});

export default route("/api/health", { GET });

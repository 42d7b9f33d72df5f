import { Health, health } from "../lib/health/health.js";
import { endpoint } from "../lib/http/endpoint.js";
import { Reply } from "../lib/http/reply.js";
import { route } from "../lib/http/route.js";

const GET = endpoint({
  summary:
    "Tell the state of the server, Postgres, Redis and the toolkit. 503 when Postgres is down.",
  auth: "anonymous",
  limits: [],
  replies: { 200: Health, 503: Health },
  errors: [],
  handle: async ({ ctx }) => {
    const state = await health(ctx);
    const status = state.status === "fail" ? 503 : 200;
    return new Reply(status, state, { "Content-Type": "application/health+json" });
  },
});

export default route("/api/health", { GET });

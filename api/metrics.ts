import * as z from "zod";
import { endpoint } from "../lib/http/endpoint.js";
import { Reply, TextBody } from "../lib/http/reply.js";
import { route } from "../lib/http/route.js";
import { metricsText, prometheusText } from "../lib/operations/metrics-text.js";

const GET = endpoint({
  summary: "Tell a Prometheus what happened since the beginning and how things stand.",
  auth: "metrics",
  limits: [],
  anyHost: true,
  replies: { 200: z.string() },
  errors: ["metrics_token_invalid"],
  handle: async ({ ctx }) => new Reply(200, new TextBody(await metricsText(ctx), prometheusText)),
});

export default route("/api/metrics", { GET });

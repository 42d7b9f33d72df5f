import * as z from "zod";
import { endpoint } from "../lib/http/endpoint.js";
import { route } from "../lib/http/route.js";
import { metricsText, prometheusText } from "../lib/operations/metrics-text.js";

const GET = endpoint({
  summary: "Read the metrics in the text format of Prometheus.",
  auth: "metrics",
  limits: [],
  anyHost: true,
  replies: { 200: { body: z.string(), contentType: prometheusText } },
  errors: [],
  handle: ({ ctx }) => metricsText(ctx),
});

export default route("/api/metrics", { GET });

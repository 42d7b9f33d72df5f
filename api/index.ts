import * as z from "zod";
import { endpoint } from "../lib/http/endpoint.js";
import { route } from "../lib/http/route.js";
import { version } from "../lib/version.js";

const Greeting = z.strictObject({
  status: z.literal("ok"),
  message: z.string(),
  timestamp: z.iso.datetime(),
  version: z.string(),
});

const GET = endpoint({
  summary: "Check that the API is running.",
  auth: "anonymous",
  limits: [],
  replies: { 200: Greeting },
  errors: [],
  handle: async ({ ctx }) => ({
    status: "ok",
    message: "Language Learning API is running",
    timestamp: ctx.now.toISOString(),
    version,
  }),
});

export default route("/api/", { GET });

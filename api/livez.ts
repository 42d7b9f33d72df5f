import * as z from "zod";
import { endpoint } from "../lib/http/endpoint.js";
import { route } from "../lib/http/route.js";

const GET = endpoint({
  summary: "Check that the process answers. No store is asked.",
  auth: "anonymous",
  limits: [],
  anyHost: true,
  replies: { 200: z.strictObject({ status: z.literal("pass") }) },
  errors: [],
  handle: async () => ({ status: "pass" }),
});

export default route("/api/livez", { GET });

import * as z from "zod";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

/** A route that returns the role of the caller. */
export const acting = route("/api/acting", {
  GET: endpoint({
    summary: "The caller's role.",
    auth: "user",
    limits: [],
    replies: { 200: z.string() },
    errors: [],
    handle: async ({ actor }) => actor.role,
  }),
});

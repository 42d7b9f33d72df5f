import * as z from "zod";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { TopLimited, TopLimitedBy, topLimited } from "../../../lib/operations/rate-limits/top.js";

const GET = operatorRead({
  summary: "List the callers or routes with the most rate limit hits in the last hour.",
  scope: "ratelimit",
  query: z.strictObject({ by: TopLimitedBy.default("ip") }),
  reply: TopLimited,
  read: ({ ctx, query }) => topLimited(ctx, query.by),
});

export default route("/api/ops/rate-limits/top", { GET });

import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { clearRateLimits } from "../../../lib/operations/rate-limits/clear.js";
import { RateLimitSubject } from "../../../lib/operations/rate-limits/subject.js";

const POST = operatorChange({
  summary: "Clear the rate limit counters of an IP address, user, session or e-mail address.",
  scope: "ratelimit",
  body: { of: RateLimitSubject },
  errors: ["not_found", "redis_unavailable"],
  async change({ ctx, operator, body, dryRun, by }) {
    const { counters, redisAnswered } = await clearRateLimits(ctx, operator, body.of, {
      by,
      dryRun,
    });
    const many =
      counters.length === 0
        ? "no counters"
        : `${counters.length} ${counters.length === 1 ? "counter" : "counters"}`;
    const silent = redisAnswered ? "" : " Redis did not answer: repeat this when it is back.";
    return {
      done: `${dryRun ? "Would clear" : "Cleared"} ${many}.${silent}`,
      undo: null,
      detail: { keys: counters.map(({ key }) => key), redisAnswered },
    };
  },
});

export default route("/api/ops/rate-limits/resets", { POST });

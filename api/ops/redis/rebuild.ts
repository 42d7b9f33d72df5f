import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { rebuildRedis } from "../../../lib/operations/state/rebuild-redis.js";

const POST = operatorChange({
  summary:
    "Rebuild flags, blocks and revocations in Redis from Postgres, and drain events. Does not sign anyone in or out.",
  scope: "redis",
  body: {},
  errors: ["redis_unavailable"],
  async change({ ctx, dryRun, by }) {
    if (dryRun) return { done: "Would rebuild flags, blocks and the gate in Redis.", undo: null };
    const { blocks, endedSessions } = await rebuildRedis(ctx, by);
    return {
      done: `Wrote the flags, ${blocks} blocks and the gate; no key is left of the ${endedSessions} sessions that were revoked last.`,
      undo: null,
      detail: { blocks, endedSessions },
    };
  },
});

export default route("/api/ops/redis/rebuild", { POST });

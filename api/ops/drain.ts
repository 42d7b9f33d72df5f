import { operatorChange, operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import {
  DrainStatus,
  drainNow,
  getDrainStatus,
} from "../../lib/operations/telemetry/drain-status.js";

const GET = operatorRead({
  summary: "Read the state of the drain of request events: lag, backlog and lost batches.",
  scope: "drain",
  breakGlass: true,
  reply: DrainStatus,
  read: ({ ctx }) => getDrainStatus(ctx),
});

const POST = operatorChange({
  summary: "Drain request events now. Safe to repeat.",
  scope: "drain",
  breakGlass: true,
  body: {},
  errors: ["redis_unavailable"],
  async change({ ctx, dryRun, by }) {
    if (dryRun) {
      const { waiting } = await getDrainStatus(ctx);
      return {
        done: `Would drain ${waiting?.batches ?? "an unknown number of"} batches.`,
        undo: null,
      };
    }
    const { events, isComplete } = await drainNow(ctx, by);
    const rest = isComplete ? "" : " More are waiting: run it again.";
    return {
      done: `Drained the events of ${events} requests.${rest}`,
      undo: null,
      detail: { events, isComplete },
    };
  },
});

export default route("/api/ops/drain", { GET, POST });

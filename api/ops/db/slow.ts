import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { SlowStatements, slowStatements } from "../../../lib/operations/state/database-state.js";

const GET = operatorRead({
  summary: "List the SQL statements that took the most time, or else those running for over 1 s.",
  scope: "db",
  reply: SlowStatements,
  read: ({ ctx }) => slowStatements(ctx),
});

export default route("/api/ops/db/slow", { GET });

import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { DatabaseState, databaseState } from "../../../lib/operations/state/database-state.js";

const GET = operatorRead({
  summary: "How full Postgres is, and who is connected.",
  scope: "db",
  reply: DatabaseState,
  read: ({ ctx }) => databaseState(ctx),
});

export default route("/api/ops/db", { GET });

import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { DatabaseState, databaseState } from "../../../lib/operations/state/database-state.js";

const GET = operatorRead({
  summary: "Read the size and the connections of Postgres.",
  scope: "db",
  reply: DatabaseState,
  read: ({ ctx }) => databaseState(ctx),
});

export default route("/api/ops/db", { GET });

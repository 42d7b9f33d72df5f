import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { hasConnectionPool, orderReconnect } from "../../../lib/schedule/reconnect-postgres.js";

const POST = operatorChange({
  summary:
    "Replace the connections of every instance to Postgres. Statements in progress end first. Does nothing without a connection pool.",
  scope: "db",
  body: {},
  async change({ ctx, dryRun, by }) {
    if (!hasConnectionPool()) {
      const done =
        "Nothing to restart: this deployment reaches Postgres over HTTPS, without a connection pool.";
      return { done, undo: null, detail: { connections: null } };
    }
    if (dryRun) {
      const done =
        "Would replace the connections of every instance to Postgres. Whether Postgres accepts a new one is not tried.";
      return { done, undo: null };
    }
    const connections = await orderReconnect(ctx, by);
    const done = `Connected again, and replaced ${connections} connections of this instance. The other instances follow within a minute.`;
    return { done, undo: null, detail: { connections } };
  },
});

export default route("/api/ops/db/reconnections", { POST });

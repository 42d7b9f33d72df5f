import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { RetentionClasses, retentionState } from "../../../lib/operations/retention/state.js";

const GET = operatorRead({
  summary: "List the classes of data, how long each is kept, and what is beyond its age.",
  scope: "retention",
  reply: RetentionClasses,
  read: ({ ctx }) => retentionState(ctx),
});

export default route("/api/ops/retention", { GET });

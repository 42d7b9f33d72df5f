import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import { CheckReport } from "../../lib/operations/state/finding.js";
import { verification } from "../../lib/operations/state/verification.js";

const GET = operatorRead({
  summary:
    "Check the invariants of the stores: indexes, session counts, copies in Redis, metric totals, audit log.",
  scope: "verify",
  reply: CheckReport,
  read: ({ ctx }) => verification(ctx),
});

export default route("/api/ops/verification", { GET });

import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import { CheckReport } from "../../lib/operations/state/finding.js";
import { verification } from "../../lib/operations/state/verification.js";

const GET = operatorRead({
  summary: "Check every invariant of the stores.",
  scope: "verify",
  reply: CheckReport,
  read: ({ ctx }) => verification(ctx),
});

export default route("/api/ops/verification", { GET });

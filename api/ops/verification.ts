import { operatorRead } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import { verification } from "../../lib/operations/state/verification.js";
import { VerificationReport } from "../../lib/operations/state/verification-report.js";

const GET = operatorRead({
  summary:
    "Check what auditors ask about (tokens, retention, logs, backups, drills, deployments) and the invariants of the stores.",
  scope: "verify",
  reply: VerificationReport,
  read: ({ ctx, operator }) => verification(ctx, operator),
});

export default route("/api/ops/verification", { GET });

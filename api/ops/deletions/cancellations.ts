import { AccountName } from "../../../lib/auth/operator/subject.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { cancelForUser } from "../../../lib/operations/deletions.js";

const POST = operatorChange({
  summary: "Cancel the pending deletion of an account.",
  scope: "gdpr",
  body: { user: AccountName },
  errors: ["not_found"],
  change: ({ ctx, operator, body, dryRun, by }) =>
    cancelForUser(ctx, body.user, { operator, by, dryRun }),
});

export default route("/api/ops/deletions/cancellations", { POST });

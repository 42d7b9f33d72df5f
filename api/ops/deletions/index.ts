import { AccountName } from "../../../lib/auth/operator/subject.js";
import { operatorChange, operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { Deletions } from "../../../lib/operations/deletion-list.js";
import { deleteForUser, listDeletions } from "../../../lib/operations/deletions.js";

const GET = operatorRead({
  summary: "List the accounts that are pending deletion, and the newest receipts of erased ones.",
  scope: "gdpr",
  reply: Deletions,
  read: ({ ctx }) => listDeletions(ctx),
});

const POST = operatorChange({
  summary:
    "Delete an account at the request of its owner: it is signed out, and erased in 14 days.",
  scope: "gdpr",
  body: { user: AccountName },
  errors: ["not_found", "last_admin"],
  change: ({ ctx, operator, body, dryRun, by }) =>
    deleteForUser(ctx, body.user, { operator, by, dryRun }),
});

export default route("/api/ops/deletions", { GET, POST });

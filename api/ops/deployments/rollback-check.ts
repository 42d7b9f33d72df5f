import * as z from "zod";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { checkRollback, RollbackCheck } from "../../../lib/operations/rollback-check.js";

const GET = operatorRead({
  summary:
    "Compare the live release with an earlier one: migrations, variables and crons. By default the one before it.",
  scope: "deployments",
  breakGlass: true,
  query: z.strictObject({
    /** A deployment's ID, or at least 7 characters of its SHA. */
    to: z.string().trim().min(1).max(128).optional(),
  }),
  reply: RollbackCheck,
  errors: ["not_found"],
  read: ({ ctx, query }) => checkRollback(ctx, query.to),
});

export default route("/api/ops/deployments/rollback-check", { GET });

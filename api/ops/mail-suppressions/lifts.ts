import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import {
  liftMailSuppression,
  SuppressedAddress,
} from "../../../lib/operations/mail-suppressions.js";

const POST = operatorChange({
  summary: "Lift the suppression of an address: mail is sent to it again.",
  scope: "mail",
  body: SuppressedAddress,
  change: ({ ctx, body, dryRun, by }) => liftMailSuppression(ctx, body.email, { by, dryRun }),
});

export default route("/api/ops/mail-suppressions/lifts", { POST });

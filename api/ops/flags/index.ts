import { FlagList, listFlags } from "../../../lib/admission/change-flag.js";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = operatorRead({
  summary: "List kill switches and feature flags.",
  scope: "flag",
  breakGlass: true,
  reply: FlagList,
  read: ({ ctx }) => listFlags(ctx),
});

export default route("/api/ops/flags", { GET });

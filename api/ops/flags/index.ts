import * as z from "zod";
import { FlagDetails, listFlags } from "../../../lib/admission/change-flag.js";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = operatorRead({
  summary: "List kill switches and feature flags.",
  scope: "flag",
  breakGlass: true,
  reply: z.strictObject({ items: z.array(FlagDetails) }),
  read: async ({ ctx }) => ({ items: await listFlags(ctx) }),
});

export default route("/api/ops/flags", { GET });

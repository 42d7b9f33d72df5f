import { Drills, listDrills } from "../../../lib/backups/drill-history.js";
import { startDrillNow } from "../../../lib/backups/start-drill.js";
import { operatorChange, operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = operatorRead({
  summary: "List the 50 newest restore drills, with the running one.",
  scope: "drill",
  reply: Drills,
  read: ({ ctx }) => listDrills(ctx),
});

const POST = operatorChange({
  summary: "Start a restore drill, unless one is running. Each tick runs one of its steps.",
  scope: "drill",
  body: {},
  errors: ["backups_not_configured"],
  change: ({ ctx, dryRun, by }) => startDrillNow(ctx, { by, dryRun }),
});

export default route("/api/ops/drills", { GET, POST });

import * as z from "zod";
import { Deployment, readDeploymentLog } from "../../../lib/deployments/deployment-log.js";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const listedMax = 50;

const GET = operatorRead({
  summary: "List the 50 newest deployments of production.",
  scope: "deployments",
  breakGlass: true,
  reply: z.strictObject({ items: z.array(Deployment) }),
  read: async ({ ctx }) => {
    const { deployments } = await readDeploymentLog(ctx);
    return { items: deployments.slice(0, listedMax) };
  },
});

export default route("/api/ops/deployments", { GET });

import { ContentVersionList, listContentVersions } from "../../../lib/content/publish.js";
import { operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

const GET = operatorRead({
  summary: "List the versions of all courses.",
  scope: "content",
  reply: ContentVersionList,
  read: async ({ ctx }) => ({ items: await listContentVersions(ctx) }),
});

export default route("/api/ops/courses", { GET });

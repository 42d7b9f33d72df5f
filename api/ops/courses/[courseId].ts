import * as z from "zod";
import { previewPublication, publish } from "../../../lib/content/publish.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { uuidParam } from "../../../lib/http/uuid-param.js";

const PUT = operatorChange({
  summary: "Publish a version of a course, or an older one again.",
  scope: "content",
  body: {
    version: z
      .int()
      .min(1)
      .meta({ examples: [1] }),
  },
  errors: ["not_found", "content_changed"],
  async change({ ctx, params, body, dryRun, by }) {
    const change = await previewPublication(ctx, uuidParam(params.courseId), body.version);
    const { before, after } = change;
    const name = `version ${after.version} of ${after.title}`;
    if (before.version === after.version) {
      return {
        done: `${name[0]?.toUpperCase()}${name.slice(1)} is published already.`,
        undo: null,
        detail: change,
      };
    }
    if (!dryRun) await publish(ctx, change, by);
    return {
      done: `${dryRun ? "Would publish" : "Published"} ${name} in place of version ${before.version}.`,
      undo: `npm run ops -- content publish ${before.targetLanguage}-${before.nativeLanguage} ${before.version} --reason "undo"`,
      detail: change,
    };
  },
});

export default route("/api/ops/courses/:courseId", { PUT });

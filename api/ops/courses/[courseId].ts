import * as z from "zod";
import { previewPublication, publish } from "../../../lib/content/publish.js";
import { AppError } from "../../../lib/errors.js";
import { operatorChange } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";

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
    const { data: courseId } = z.uuid().safeParse(params.courseId);
    if (!courseId) throw new AppError("not_found");
    const change = await previewPublication(ctx, courseId, body.version);
    const { before, after } = change;
    const name = `version ${after.version} of ${after.title}`;
    if (before.version === after.version) {
      return { done: `Published is already ${name}.`, undo: null, detail: change };
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

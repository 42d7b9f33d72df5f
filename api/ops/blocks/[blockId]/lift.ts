import { blockCommand, getLiftableBlock, liftBlock } from "../../../../lib/admission/block.js";
import { operatorChange } from "../../../../lib/http/operator-endpoint.js";
import { route } from "../../../../lib/http/route.js";

const POST = operatorChange({
  summary: "Lift a block.",
  scope: "block",
  breakGlass: true,
  body: {},
  errors: ["not_found"],
  async change({ ctx, operator, params: { blockId = "" }, dryRun, by }) {
    const block = await getLiftableBlock(ctx, operator, blockId);
    if (!dryRun) await liftBlock(ctx, block, by);
    return {
      done: `${dryRun ? "Would lift" : "Lifted"} the block of ${block.value}.`,
      undo: blockCommand(block, ctx.now),
    };
  },
});

export default route("/api/ops/blocks/:blockId/lift", { POST });

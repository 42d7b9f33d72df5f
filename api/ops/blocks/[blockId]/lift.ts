import { getLiftableBlock, liftBlock } from "../../../../lib/admission/block.js";
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
    const { kind, value, expiresAt } = block;
    const seconds = Math.max(60, Math.ceil((Date.parse(expiresAt) - ctx.now.getTime()) / 1000));
    const who = kind === "user" ? value.slice("user:".length) : value;
    const as = kind === "user" ? "user" : "cidr";
    return {
      done: `${dryRun ? "Would lift" : "Lifted"} the block of ${value}.`,
      undo: `npm run ops -- block ${as} ${who} --ttl ${seconds}s --reason "undo"`,
    };
  },
});

export default route("/api/ops/blocks/:blockId/lift", { POST });

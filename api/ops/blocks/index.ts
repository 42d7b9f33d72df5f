import {
  BlockList,
  blockCommand,
  findBlockOf,
  listBlocks,
  NewBlock,
  requireBlockable,
  setBlock,
} from "../../../lib/admission/block.js";
import { operatorChange, operatorRead } from "../../../lib/http/operator-endpoint.js";
import { route } from "../../../lib/http/route.js";
import { impactOfBlocking } from "../../../lib/operations/block-impact.js";

const GET = operatorRead({
  summary: "List the active blocks: who is blocked, by whom, why and until when.",
  scope: "block",
  breakGlass: true,
  reply: BlockList,
  read: ({ ctx }) => listBlocks(ctx),
});

const POST = operatorChange({
  summary:
    "Block an IP address, a network or a user. The sessions and operator tokens of the user are revoked.",
  scope: "block",
  breakGlass: true,
  body: NewBlock,
  errors: ["not_found", "block_protected"],
  async change({ ctx, operator, body, dryRun, by }) {
    const value = await requireBlockable(ctx, operator, body);
    if (dryRun) {
      const { text, detail } = await impactOfBlocking(ctx, value);
      return { done: `Would block ${value} for ${body.ttlSeconds} s. ${text}`, undo: null, detail };
    }
    const replaced = await findBlockOf(ctx, value);
    const { id, expiresAt, sessionsEnded } = await setBlock(ctx, operator, body, value, by);
    const until = expiresAt.toISOString();
    return {
      done: replaced
        ? `Already blocked ${value}: now until ${until}.`
        : `Blocked ${value} until ${until}.`,
      undo: replaced
        ? blockCommand(replaced, ctx.now)
        : `npm run ops -- block lift ${id} --reason "undo"`,
      detail: { id, value, expiresAt: expiresAt.toISOString(), sessionsEnded },
    };
  },
});

export default route("/api/ops/blocks", { GET, POST });

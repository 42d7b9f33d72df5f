import { Found } from "../../find.js";
import type { Command } from "../command.js";
import { table } from "../text.js";
import { blockRows } from "./block.js";

export const find: Command = {
  name: "find",
  args: ["WHAT"],
  summary: "what is known of a correlation ID, a user or session id, an e-mail or IP address",
  async run({ api, args: [q = ""] }) {
    const found = Found.parse(await api.look("/api/ops/find", { q }));
    const { accounts, blocks, securityEvents, audit, requests } = found;
    const parts = [
      `Looked up as ${found.lookedUpAs.join(", ")}.`,
      `Accounts\n${table(accounts)}`,
      `Blocks that stand\n${table(blockRows(blocks))}`,
      `Security events\n${table(securityEvents)}`,
      `Audit\n${table(audit)}`,
      `Requests of the last week\n${table(
        requests.map(({ at, count, status, method, route, code, ipPrefix, correlationId: id }) => ({
          at,
          n: count,
          status,
          method,
          route,
          code,
          ipPrefix,
          id,
        })),
      )}`,
    ];
    return { body: found, text: parts.join("\n\n") };
  },
};

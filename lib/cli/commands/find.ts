import { FindResult } from "../../operations/find.js";
import type { Command } from "../command.js";
import { table } from "../text.js";
import { blockTable } from "./block.js";

export const find: Command = {
  name: "find",
  args: ["WHAT"],
  summary: "look up a correlation ID, user ID, session ID, e-mail address or IP address",
  async run({ api, args: [q = ""] }) {
    const found = await api.look(FindResult, "/api/ops/find", { q });
    const { accounts, blocks, securityEvents, audit, requests } = found;
    const parts = [
      `Looked up as ${found.lookedUpAs.join(", ")}.`,
      `Accounts\n${accountTable(accounts)}`,
      `Active blocks\n${blockTable(blocks)}`,
      `Security events\n${table(securityEvents, undefined, ["ip", "userId", "correlationId", "data"])}`,
      `Audit log\n${table(audit, undefined, ["actor", "subjectId", "correlationId"])}`,
      `Requests of the last 7 days\n${requestTable(requests)}`,
    ];
    return { body: found, text: parts.join("\n\n") };
  },
};

function accountTable(accounts: FindResult["accounts"]): string {
  const rows = accounts.map(
    ({ emailConfirmed, email, secondFactor, liveSessions, ...account }) => ({
      email: email === null || emailConfirmed ? email : `${email} (claimed)`,
      role: account.role,
      state: account.state,
      "2nd factor": secondFactor ? "yes" : "no",
      sessions: liveSessions,
      createdAt: account.createdAt,
      id: account.id,
    }),
  );
  return table(rows, undefined, ["id", "createdAt"]);
}

function requestTable(requests: FindResult["requests"]): string {
  const rows = requests.map(
    ({ at, count, status, method, route, code, ipPrefix, correlationId }) => ({
      at,
      n: count,
      status,
      method,
      route,
      code,
      ip: ipPrefix,
      correlation: correlationId,
    }),
  );
  return table(rows, undefined, ["ip", "correlation"]);
}

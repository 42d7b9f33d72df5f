import { FindResult } from "../../operations/find.js";
import { shellWord } from "../../operations/shell-word.js";
import { findDays } from "../../operations/telemetry/access-log.js";
import { identifier, numberFrom } from "../checks.js";
import type { Call, Command } from "../command.js";
import { commandText } from "../command-text.js";
import { table } from "../text.js";
import { blockTable } from "./block.js";

export const find: Command = {
  name: "find",
  args: ["WHAT"],
  summary: "look up a correlation ID, user ID, session ID, e-mail address or IP address",
  options: { limit: { type: "string" } },
  checks: { WHAT: identifier, limit: numberFrom(1, 500) },
  notes:
    "Drains events first. --limit is the maximum of rows per list, by default 50, at most 500.",
  async run({ api, args: [q = ""], options }) {
    const { limit } = options;
    const found = await api.look(FindResult, "/api/ops/find", {
      q,
      ...(limit !== undefined && { limit: Number(limit) }),
    });
    const { accounts, blocks, securityEvents, audit, requests, mailSuppression } = found;
    const until = `Events up to ${found.eventsUntil.slice(0, 19).replace("T", " ")} UTC.`;
    const kinds = `Looked up as ${found.lookedUpAs.join(", ")}.`;
    const rows = [...accounts, ...blocks, ...securityEvents, ...audit, ...requests];
    if (rows.length === 0 && !mailSuppression) {
      return { body: found, text: `Nothing found for ${q}. ${until}`, isProblem: true };
    }
    const more = (list: List) => {
      const isCut = found.cut.includes(list);
      return isCut
        ? `\nThe newest ${limit ?? 50}. More:\n${moreCommand({ options }, list, found, q)}`
        : "";
    };
    const events = table(securityEvents, undefined, ["ip", "userId", "correlationId", "data"]);
    const audits = table(audit, undefined, ["actor", "subjectId", "correlationId"]);
    const isAddress = found.lookedUpAs.includes("ip");
    const network = isAddress ? ", from all addresses of its network" : "";
    const parts = [
      `${kinds} ${until}`,
      `Accounts\n${accountTable(accounts)}`,
      ...(mailSuppression ? [suppressionText(mailSuppression)] : []),
      `Active blocks\n${blockTable(blocks)}`,
      `Security events\n${events}${more("securityEvents")}`,
      ...(isAddress ? [] : [`Audit log\n${audits}${more("audit")}`]),
      `Requests of the last ${findDays} days${network}\n${requestTable(requests)}${more("requests")}`,
    ];
    return { body: found, text: parts.join("\n\n") };
  },
};

type List = FindResult["cut"][number];

/** The access log has pages, unlike this command. */
function moreCommand(
  call: Pick<Call, "options">,
  list: List,
  { lookedUpAs, accounts }: FindResult,
  q: string,
): string {
  if (list !== "requests") return commandText(call, `find ${shellWord(q)}`, { limit: "500" });
  const since = new Date(Date.now() - findDays * 86_400_000).toISOString();
  const [account] = accounts;
  const user = account?.id ?? (lookedUpAs.includes("userId") ? q : undefined);
  const byAccount = user ? { user } : { correlation: q };
  const filter = lookedUpAs.includes("ip") ? { ip: q } : byAccount;
  return commandText(call, "access-log", { ...filter, since });
}

function suppressionText({ reason, since }: NonNullable<FindResult["mailSuppression"]>): string {
  return `Mail\nNo mail is sent to this address: ${reason} at ${since.slice(0, 19)}Z.`;
}

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

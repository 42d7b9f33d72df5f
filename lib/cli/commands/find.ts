import { FindResult } from "../../operations/find.js";
import { shellWord } from "../../operations/shell-word.js";
import { findDays } from "../../operations/telemetry/access-log.js";
import { identifier, numberFrom } from "../checks.js";
import type { Call, Command } from "../command.js";
import { commandText } from "../command-text.js";
import { table, untilText } from "../text.js";
import { blockTable } from "./block.js";

export const find: Command = {
  name: "find",
  args: ["WHAT"],
  summary: "look up a correlation ID, user ID, session ID, e-mail address or IP address",
  options: { limit: { type: "string" } },
  checks: { WHAT: identifier, limit: numberFrom(1, 500) },
  notes:
    "Drains events first. Mails are listed while they wait and when they failed; a sent one is only in the log (`mail_sent`). --limit is the maximum of rows per list, by default 50, at most 500.\nA failed sign-in shows the accountId, or the hash of an e-mail address without an account: `find` takes both.",
  async run({ api, args: [q = ""], options }) {
    const { limit } = options;
    const found = await api.look(FindResult, "/api/ops/find", {
      q,
      ...(limit !== undefined && { limit: Number(limit) }),
    });
    const { accounts, entered = [], blocks, securityEvents, audit, requests } = found;
    const mail = mailText(found);
    const until = untilText(found);
    const kinds = `Looked up as ${found.lookedUpAs.join(", ")}.`;
    const rows = [...accounts, ...entered, ...blocks, ...securityEvents, ...audit, ...requests];
    if (rows.length === 0 && !mail) {
      return { body: found, text: `Nothing found for ${q}. ${until}`, isProblem: true };
    }
    const more = (list: List) => {
      const isCut = found.cut.includes(list);
      return isCut
        ? `\nThe newest ${limit ?? 50}. More:\n${moreCommand({ options }, list, found, q)}`
        : "";
    };
    const events = eventTable(securityEvents);
    const audits = table(audit, undefined, ["actor", "subjectId", "correlationId"]);
    const isAddress = found.lookedUpAs.includes("ip");
    const network = isAddress ? ", from all addresses of its network" : "";
    const parts = [
      `${kinds} ${until}`,
      isAddress
        ? `Entered accounts: sign-ins of the last ${findDays} days${network}\n${enteredTable(entered)}`
        : `Accounts\n${accountTable(accounts)}`,
      ...(mail ? [`Mail\n${mail}`] : []),
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

/** Empty when nothing is known about mail. */
function mailText(found: FindResult): string {
  const { mailSuppression, mailBudgets, lookedUpAs, accounts } = found;
  const { queuedMails = [], lastMailDeliveredAt = null } = found;
  const { reason, since = "" } = mailSuppression ?? {};
  const isFree = !reason && mailBudgets.every(({ fullUntil }) => fullUntil === null);
  const isAskedFor =
    !lookedUpAs.includes("ip") &&
    (mailBudgets.length > 0 || (lookedUpAs.includes("email") && accounts.length > 0));
  const lines = [
    ...(reason ? [`No mail is sent to this address: ${reason} at ${since.slice(0, 19)}Z.`] : []),
    ...(lastMailDeliveredAt === null
      ? []
      : [`The last mail was delivered at ${lastMailDeliveredAt.slice(0, 19)}Z.`]),
    ...(queuedMails.length > 0 ? [queuedTable(queuedMails)] : []),
    ...(mailBudgets.length > 0 ? [budgetTable(mailBudgets)] : []),
    ...(isAskedFor && isFree ? [perCallerText] : []),
  ];
  return lines.join("\n");
}

/** What an address cannot show: the limit of the one who asked for the mail. */
const perCallerText = `No limit of this address withholds mail. A limit per IP address of the caller can:
ask the user for the IP address, then: npm run ops -- find IP`;

function queuedTable(mails: NonNullable<FindResult["queuedMails"]>): string {
  const rows = mails.map(({ at, template, state, attempts, lastError, correlationId }) => ({
    queuedAt: at,
    state,
    mail: template,
    attempts,
    error: lastError,
    correlationId,
  }));
  return table(rows, undefined, ["correlationId"]);
}

function budgetTable(budgets: FindResult["mailBudgets"]): string {
  const rows = budgets.map(({ budget, used, max, fullUntil }) => ({
    limit: budget,
    used: `${used}/${max}`,
    "no mail until": fullUntil,
  }));
  return table(rows);
}

/** A hash is shown only where it is all that is known. */
function eventTable(events: FindResult["securityEvents"]): string {
  const rows = events.map(({ at, event, count, route, ip, userId, accountId, ...others }) => {
    const { account, ...data } = others.data;
    const known = accountId === null && account !== undefined ? { account, ...data } : data;
    return {
      at,
      event,
      count,
      route,
      ip,
      userId,
      accountId,
      correlationId: others.correlationId,
      data: Object.keys(known).length > 0 ? known : null,
    };
  });
  return table(rows, undefined, ["ip", "userId", "accountId", "correlationId", "data"]);
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
  const changes = accounts.flatMap(({ id, addressChange }) =>
    addressChange
      ? [
          `${id}: address changed at ${addressChange.at.slice(0, 19)}Z.`,
          `The code in the mail to the old address undoes it until ${addressChange.undoUntil.slice(0, 19)}Z.`,
        ]
      : [],
  );
  return [table(rows, undefined, ["id", "createdAt"]), ...changes].join("\n");
}

function enteredTable(entered: NonNullable<FindResult["entered"]>): string {
  const rows = entered.map(({ id, email, signIns, lastSignInAt, liveSessions }) => ({
    email,
    "sign-ins": signIns,
    live: liveSessions,
    lastAt: lastSignInAt,
    id,
  }));
  const advice =
    rows.length > 0 ? "\nEnd the sessions of one: npm run ops -- revoke user ID --reason TEXT" : "";
  return table(rows, undefined, ["id"]) + advice;
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

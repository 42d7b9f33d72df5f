import * as z from "zod";
import { identify } from "../../auth/operator/identifier.js";
import { SessionDetails, SessionSummary } from "../../operations/sessions.js";
import { accountId, anAccount } from "../account.js";
import { account, sessionId } from "../checks.js";
import type { Command } from "../command.js";
import { UsageError } from "../failures.js";
import { table } from "../text.js";

const Sessions = z.object({ items: z.array(SessionSummary) });

const list: Command = {
  name: "sessions list",
  args: ["USER"],
  names: anAccount,
  summary: "the sessions of a user (ID or e-mail), including ended ones",
  checks: { USER: account },
  async run({ api, args: [user = ""] }) {
    const query = { user: await accountId(api, user) };
    const found = await api.get(Sessions, "/api/ops/sessions", query);
    const rows = found.items.map(
      ({
        id,
        state,
        revokedReason,
        role,
        deviceName,
        country,
        ipPrefix,
        createdAt,
        lastSeenAt,
      }) => ({
        id,
        state: revokedReason ? `${state} (${revokedReason})` : state,
        role,
        device: deviceName,
        refreshedAt: lastSeenAt,
        createdAt,
        network: ipPrefix,
        country,
      }),
    );
    return { body: found, text: table(rows, undefined, ["createdAt", "network", "country"]) };
  },
};

const show: Command = {
  name: "sessions show",
  args: ["ID"],
  names: { what: "session", shownBy: "sessions list USER" },
  summary: "one session, as stored in Postgres and in Redis",
  checks: { ID: sessionId },
  async run({ api, args: [id = ""] }) {
    const session = await api.get(SessionDetails, `/api/ops/sessions/${encodeURIComponent(id)}`);
    const rows = Object.entries(session).map(([field, value]) => ({
      // Only a refresh of the token sets it, so that a session in use can look idle.
      field: field === "lastSeenAt" ? "refreshedAt" : field,
      value,
    }));
    return { body: session, text: table(rows), isProblem: session.state !== "live" };
  },
};

const revoke: Command = {
  name: "sessions revoke",
  args: ["[WHAT]"],
  names: { what: "session or account", shownBy: "find WHAT" },
  summary: "revoke a session, or all sessions of a user",
  options: { user: { type: "string" } },
  checks: { WHAT: account, user: account },
  changes: true,
  notes:
    "Like `redis-cli DEL session:<id>`, but also recorded in Postgres and in the audit log. There is no undo: the user signs in again, a guest cannot.",
  async run({ api, args: [what], options: { user } }) {
    if ((what === undefined) === (user === undefined)) {
      throw new UsageError("Give either WHAT or --user USER.");
    }
    const isSession = what !== undefined && identify(what).includes("sessionId");
    return api.change(
      "POST",
      "/api/ops/revocations",
      isSession ? { session: what } : { user: what ?? user },
    );
  },
};

export const sessions = [list, show, revoke];

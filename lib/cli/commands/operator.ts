import * as z from "zod";
import { OperatorToken } from "../../auth/operator/operator-token.js";
import { OperatorAccount } from "../../auth/operator/role.js";
import { anAccount } from "../account.js";
import type { Command } from "../command.js";
import { secondsOf } from "../duration.js";
import { UsageError } from "../failures.js";
import { table } from "../text.js";

const list: Command = {
  name: "operator list",
  args: [],
  summary: "who operates",
  async run({ api }) {
    const answer = await api.get("/api/ops/operators");
    const { items } = z.object({ items: z.array(OperatorAccount) }).parse(answer);
    return { body: answer, text: table(items, "Nobody: the first is made with OPS_TOKEN set.") };
  },
};

const grant: Command = {
  name: "operator grant",
  args: ["USER"],
  names: anAccount,
  summary: "make a user (id or e-mail) an operator, or an admin with --role admin",
  options: { role: { type: "string" } },
  changes: true,
  notes:
    "Admins grant. While nobody operates, it works with the break-glass token in OPS_TOKEN, and makes an admin.",
  async run({ api, args: [user], options: { role } }) {
    if (role !== undefined && role !== "operator" && role !== "admin") {
      throw new UsageError("--role takes operator or admin.");
    }
    return api.change("POST", "/api/ops/operators", { user, role });
  },
};

const revoke: Command = {
  name: "operator revoke",
  args: ["USER"],
  names: anAccount,
  summary: "make an operator or admin a user again; their sessions and tokens end",
  changes: true,
  run: ({ api, args: [user] }) => api.change("POST", "/api/ops/operators/removals", { user }),
};

const tokenList: Command = {
  name: "operator token list",
  args: [],
  summary: "the tokens of machines, and when each was last used",
  async run({ api }) {
    const answer = await api.get("/api/ops/operator-tokens");
    const { items } = z.object({ items: z.array(OperatorToken) }).parse(answer);
    const rows = items.map(({ id, name, state, scopes, expiresAt, lastUsedAt }) => ({
      id,
      name,
      state,
      scopes: scopes.join(","),
      expiresAt,
      lastUsedAt,
    }));
    return { body: answer, text: table(rows) };
  },
};

const tokenCreate: Command = {
  name: "operator token create",
  args: ["NAME"],
  summary: "make a token for a machine; its text is shown once",
  options: { scopes: { type: "string" }, ttl: { type: "string", default: "90d" } },
  changes: true,
  notes:
    "--scopes is a comma list of NOUN:read, NOUN:change, NOUN:* and *:…, such as flag:change,*:read.\n--ttl is a number of m, h or d, at most 365d. No token decides who operates.",
  async run({ api, args: [name], options: { scopes, ttl } }) {
    if (typeof scopes !== "string") throw new UsageError("Say what it may do, in --scopes.");
    const body = { name, scopes: scopes.split(","), ttlSeconds: secondsOf(String(ttl)) };
    const made = await api.change("POST", "/api/ops/operator-tokens", body);
    const { detail } = made.body as { detail: { token?: string } };
    const shown = detail.token ? `\nThe token, shown this once:\n${detail.token}` : "";
    return { ...made, text: made.text + shown };
  },
};

const tokenRevoke: Command = {
  name: "operator token revoke",
  args: ["TOKEN"],
  names: { what: "token of a machine", shownBy: "operator token list" },
  summary: "end a machine's token, by its id or name",
  changes: true,
  run: ({ api, args: [token] }) =>
    api.change("POST", "/api/ops/operator-tokens/revocations", { token }),
};

export const operator = [list, grant, revoke, tokenList, tokenCreate, tokenRevoke];

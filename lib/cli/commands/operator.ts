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
  summary: "accounts of operators and admins",
  async run({ api }) {
    const answer = await api.get("/api/ops/operators");
    const { items } = z.object({ items: z.array(OperatorAccount) }).parse(answer);
    return {
      body: answer,
      text: table(items, "No operators. Create the first one with `operator enrol`."),
    };
  },
};

const grant: Command = {
  name: "operator grant",
  args: ["USER"],
  names: anAccount,
  summary:
    "make a user (ID or e-mail) an operator, or an admin with --role admin; revokes their sessions",
  options: { role: { type: "string" } },
  changes: true,
  notes:
    "Only admins can grant. While there are no operators, the break-glass token in OPS_TOKEN can grant; the role is then admin.",
  async run({ api, args: [user], options: { role } }) {
    if (role !== undefined && role !== "operator" && role !== "admin") {
      throw new UsageError("--role must be operator or admin.");
    }
    return api.change("POST", "/api/ops/operators", { user, role });
  },
};

const enrol: Command = {
  name: "operator enrol",
  args: [],
  summary: "set up the first admin, or the second factor of an operator, and sign in",
  options: {
    reason: { type: "string", default: "first admin" },
    "new-recovery-codes": { type: "boolean", default: false },
  },
  notes:
    "With the break-glass token in OPS_TOKEN, and while there are no operators: creates the account if needed, confirms\nits e-mail address with a mailed code and makes it an admin. After an interruption, run it again. It needs a terminal.",
  async run({ api, signIn, options, hasOpsToken }) {
    const grant = (user: string) => api.change("POST", "/api/ops/operators", { user });
    const recoveryCodes = await signIn.enrol({
      grant: hasOpsToken ? grant : null,
      renewsRecoveryCodes: options["new-recovery-codes"] === true,
    });
    const lines = [
      `Signed in at ${api.url.origin} with a second factor.`,
      ...(recoveryCodes
        ? ["Recovery codes, shown only once. Each replaces one code of the app:", ...recoveryCodes]
        : ["It was set up before. For new recovery codes, add --new-recovery-codes."]),
      ...(hasOpsToken ? ["Unset OPS_TOKEN now: it takes precedence over your session."] : []),
    ];
    return { body: { signedIn: true, recoveryCodes }, text: lines.join("\n") };
  },
};

const revoke: Command = {
  name: "operator revoke",
  args: ["USER"],
  names: anAccount,
  summary: "revoke the operator or admin role of a user, their sessions and their API tokens",
  changes: true,
  run: ({ api, args: [user] }) => api.change("POST", "/api/ops/operators/removals", { user }),
};

const tokenList: Command = {
  name: "operator token list",
  args: [],
  summary: "API tokens, and when each was last used",
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
  summary: "create an API token; it is shown only once",
  options: { scopes: { type: "string" }, ttl: { type: "string", default: "90d" } },
  changes: true,
  notes:
    "--scopes is a comma-separated list of NOUN:read, NOUN:change, NOUN:* and *:…, for example flag:change,*:read.\n--ttl is a number of m, h or d, at most 365d. A token cannot grant or revoke operators.",
  async run({ api, args: [name], options: { scopes, ttl } }) {
    if (typeof scopes !== "string") throw new UsageError("--scopes is required.");
    const body = { name, scopes: scopes.split(","), ttlSeconds: secondsOf(String(ttl)) };
    const created = await api.change("POST", "/api/ops/operator-tokens", body);
    const { detail } = created.body as { detail: { token?: string } };
    const tokenText = detail.token ? `\nThe token, shown only once:\n${detail.token}` : "";
    return { ...created, text: created.text + tokenText };
  },
};

const tokenRevoke: Command = {
  name: "operator token revoke",
  args: ["TOKEN"],
  names: { what: "API token", shownBy: "operator token list" },
  summary: "revoke an API token, by its ID or name",
  changes: true,
  run: ({ api, args: [token] }) =>
    api.change("POST", "/api/ops/operator-tokens/revocations", { token }),
};

export const operator = [list, enrol, grant, revoke, tokenList, tokenCreate, tokenRevoke];

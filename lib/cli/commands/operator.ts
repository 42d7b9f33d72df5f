import * as z from "zod";
import { OperatorToken } from "../../auth/operator/operator-token.js";
import { OperatorAccount } from "../../auth/operator/role.js";
import { isKnownScope, operatorScopes } from "../../auth/operator/scopes.js";
import { CheckReport, mailCheck, operatorsCheck } from "../../operations/state/finding.js";
import { anAccount } from "../account.js";
import type { Api } from "../api.js";
import { account, type Check, durationUpTo, listed, matching, oneOf } from "../checks.js";
import type { Command } from "../command.js";
import { secondsOf } from "../duration.js";
import { UsageError } from "../failures.js";
import { table } from "../text.js";

const tokenName = matching(
  /^[a-z0-9][a-z0-9._-]{0,62}$/,
  "1 to 63 of a-z 0-9 . _ - (the ID or name, not the token itself)",
);
const scope = matching(
  /^(\*|[a-z][a-z0-9-]*):(\*|read|change)$/,
  "a list of scopes, such as flag:change,*:read",
);
const knownScope: Check = (typed) =>
  scope(typed) ??
  (isKnownScope(typed) ? undefined : `must name one of ${operatorScopes.join(", ")}`);
const Operators = z.object({ items: z.array(OperatorAccount) });
const OperatorTokens = z.object({ items: z.array(OperatorToken) });

const list: Command = {
  name: "operator list",
  args: [],
  summary: "accounts of operators and admins",
  async run({ api }) {
    const answer = await api.get(Operators, "/api/ops/operators");
    const { items } = answer;
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
  checks: { USER: account, role: oneOf(["operator", "admin"]) },
  changes: true,
  notes:
    "Only admins can grant. While there are no operators, the break-glass token in OPS_TOKEN can grant; the role is then admin.",
  run: ({ api, args: [user], options: { role } }) =>
    api.change("POST", "/api/ops/operators", { user, role }),
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
    "With the break-glass token in OPS_TOKEN, and while there are no operators: creates the account if needed, confirms its e-mail address with a mailed code and makes it an admin. After an interruption, run it again. It needs a terminal.",
  async run({ api, signIn, options, tokenApi }) {
    const recoveryCodes = await signIn.enrol({
      firstAdmin: tokenApi
        ? {
            look: () => lookBeforeEnrolment(tokenApi),
            grant: (user) => tokenApi.change("POST", "/api/ops/operators", { user }),
          }
        : null,
      renewsRecoveryCodes: options["new-recovery-codes"] === true,
    });
    const lines = [
      `Signed in at ${api.url.origin} with a second factor.`,
      ...(recoveryCodes
        ? ["Recovery codes, shown only once. Each replaces one code of the app:", ...recoveryCodes]
        : ["It was set up before. For new recovery codes, add --new-recovery-codes."]),
      ...(tokenApi ? ["Unset OPS_TOKEN now: it is for emergencies."] : []),
    ];
    return { body: { signedIn: true, recoveryCodes }, text: lines.join("\n") };
  },
};

async function lookBeforeEnrolment(tokenApi: Api) {
  const { findings } = await tokenApi.get(CheckReport, "/api/ops/health");
  const byName = (name: string) => findings.find((finding) => finding.name === name);
  const mail = byName(mailCheck);
  return {
    operatorsExist: byName(operatorsCheck)?.status === "pass",
    mailProblem: mail?.status === "warn" ? mail.detail : undefined,
  };
}

const revoke: Command = {
  name: "operator revoke",
  args: ["USER"],
  names: anAccount,
  summary: "revoke the operator or admin role of a user, their sessions and their API tokens",
  checks: { USER: account },
  changes: true,
  run: ({ api, args: [user] }) => api.change("POST", "/api/ops/operators/removals", { user }),
};

const tokenList: Command = {
  name: "operator token list",
  args: [],
  summary: "API tokens, and when each was last used",
  async run({ api }) {
    const answer = await api.get(OperatorTokens, "/api/ops/operator-tokens");
    const { items } = answer;
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
  required: ["scopes"],
  options: { scopes: { type: "string" }, ttl: { type: "string", default: "90d" } },
  checks: { NAME: tokenName, scopes: listed(knownScope), ttl: durationUpTo(365) },
  changes: true,
  notes:
    "--scopes is a comma-separated list of NOUN:read, NOUN:change, NOUN:* and *:…, for example flag:change,*:read.\n--ttl is a number of m, h or d, at most 365d. A token cannot grant or revoke operators.",
  async run({ api, args: [name], options: { scopes, ttl } }) {
    if (typeof scopes !== "string") throw new UsageError("--scopes is required.");
    const body = { name, scopes: scopes.split(","), ttlSeconds: secondsOf(String(ttl)) };
    const created = await api.change("POST", "/api/ops/operator-tokens", body);
    const { token } = created.detail;
    const tokenText = token ? `\nThe token, shown only once:\n${token}` : "";
    return { ...created, text: created.text + tokenText };
  },
};

const tokenRevoke: Command = {
  name: "operator token revoke",
  args: ["TOKEN"],
  names: { what: "API token", shownBy: "operator token list" },
  summary: "revoke an API token, by its ID or name",
  checks: { TOKEN: tokenName },
  changes: true,
  run: ({ api, args: [token] }) =>
    api.change("POST", "/api/ops/operator-tokens/revocations", { token }),
};

export const operator = [list, enrol, grant, revoke, tokenList, tokenCreate, tokenRevoke];

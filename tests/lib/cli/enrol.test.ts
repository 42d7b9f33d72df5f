import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import revocations from "../../../api/ops/revocations.js";
import user from "../../../api/user/index.js";
import { createApi } from "../../../lib/cli/api.js";
import { commandOf } from "../../../lib/cli/command-line.js";
import { chooseCredentials } from "../../../lib/cli/credentials.js";
import { sessionFile } from "../../../lib/cli/session-file.js";
import { openSignIn } from "../../../lib/cli/sign-in.js";
import { call } from "../../support/call.js";
import { drained } from "../../support/drained.js";
import { setDefaults, setEnvironment } from "../../support/environment.js";
import { mailedCode } from "../../support/mailed-codes.js";
import { anOperator, breakGlassToken, demoteOperators } from "../../support/operators.js";
import { opsInProcess } from "../../support/ops-command.js";
import { aBoundUser, password } from "../../support/people.js";
import { authenticator, enrol as enrolFactor, resetUsedStep } from "../../support/second-factor.js";
import { useServedFunctions } from "../../support/served-functions.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const served = useServedFunctions();
setDefaults({ OPS_TOKEN: breakGlassToken, RATE_LIMIT_MAX_REQUESTS: "100000" });

let directory: string;
const directories: string[] = [];
afterAll(() => {
  for (const path of directories) rmSync(path, { recursive: true, force: true });
});
afterEach(() => setEnvironment({}));
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "linguamate-enrol-"));
  directories.push(directory);
  await stores.liftLimits();
  await demoteOperators(stores);
});

class Interrupted extends Error {}

type Answers = Record<string, string | ((shown: string) => string | Promise<string>)>;

/** Answers each question of the terminal by its first words; a question without an answer interrupts the command. */
function scripted(answers: Answers) {
  const asked: string[] = [];
  let shown = "";
  return {
    asked,
    get shown() {
      return shown;
    },
    isInteractive: true,
    show(text: string) {
      shown += `${text}\n`;
    },
    async ask(question: string) {
      asked.push(question);
      const [, answer] =
        Object.entries(answers).find(([start]) => question.startsWith(start)) ?? [];
      if (answer === undefined) throw new Interrupted(question);
      return typeof answer === "string" ? answer : answer(shown);
    },
  };
}

function session() {
  return sessionFile(directory, new URL(served.url));
}

async function enrol(
  terminal: ReturnType<typeof scripted>,
  { token = breakGlassToken, ...options } = {},
) {
  const url = new URL(served.url);
  const signIn = openSignIn(url, session(), terminal);
  const given = { url, token: token || undefined, tokenUrl: undefined, signIn };
  const apiWith = (breakGlass: boolean) => {
    const credentials = chooseCredentials({ ...given, breakGlass });
    return createApi({ url, credentials, reason: "first admin", dryRun: false });
  };
  const tokenApi = token ? apiWith(true) : undefined;
  const command = commandOf(["operator", "enrol"]);
  if (!command) throw new Error("There is no such command.");
  return command.run({ args: [], options, api: apiWith(false), signIn, terminal, tokenApi });
}

const secretIn = (shown: string) => /^Secret: (\w+)$/m.exec(shown)?.[1] ?? "";
const appCode = (shown: string) => authenticator(secretIn(shown)).code();
const idOf = async (email: string) =>
  (await stores.sql("select id from users where email = $1 or claimed_email = $1", email))[0]?.id ??
  "";
const status = async () => {
  const signIn = openSignIn(new URL(served.url), session(), scripted({}));
  const api = createApi({
    url: new URL(served.url),
    credentials: signIn,
    reason: "x",
    dryRun: false,
  });
  return api.get(z.unknown(), "/api/ops/operators");
};

describe("npm run ops -- operator enrol", () => {
  it("asks again for something else than an e-mail address, five times", async () => {
    const terminal = scripted({ "E-mail": "not-an-email" });
    await expect(enrol(terminal)).rejects.toThrow("E-mail must be an e-mail address.");
    expect(terminal.asked).toEqual(Array(5).fill("E-mail"));
  });

  it("signs in once with the password of an account that exists, and creates none", async () => {
    const email = `unknown-${randomUUID()}@example.com`;
    const terminal = scripted({ "E-mail": email, "Does an account": "yes", Password: password });
    await expect(enrol(terminal)).rejects.toThrow(/invalid_credentials/);
    expect(await idOf(email)).toBe("");
  });

  it("creates the first admin from nothing, with a second factor, and leaves a signed-in session", async () => {
    const email = `first-${randomUUID()}@example.com`;
    let tries = 0;
    const terminal = scripted({
      "E-mail": email,
      "Does an account": "no",
      "Password again": password,
      Password: password,
      Name: "Grace",
      // The first one is wrong, the second empty.
      "Code from the mail": async () =>
        ["AAAA-AAAA", ""][tries++] ?? mailedCode(stores, "verify_email", await idOf(email)),
      "First code": appCode,
    });
    const { text, body } = await enrol(terminal);
    expect(terminal.shown).toContain("Wrong or expired code.\nEnter the code.\n");
    expect(terminal.shown).toMatch(/otpauth:\/\/totp\/\S+secret=/);
    expect(terminal.shown).toMatch(/[█▀▄]{20}/);
    const { recoveryCodes } = body as { recoveryCodes: string[] };
    expect(recoveryCodes).toHaveLength(10);
    for (const code of recoveryCodes) expect(text).toContain(code);
    expect(text).toContain("Unset OPS_TOKEN");
    expect(await stores.sql("select role, email from users where email = $1", email)).toEqual([
      { role: "admin", email },
    ]);
    expect(await status()).toMatchObject({ items: [{ name: "Grace", secondFactor: true }] });
    // A change needs the second factor in the token.
    const url = new URL(served.url);
    const credentials = openSignIn(url, session(), scripted({}));
    const api = createApi({ url, credentials, reason: "a test", dryRun: false });
    const person = await aBoundUser(stores);
    const revoked = await api.change("POST", "/api/ops/revocations", { user: person.user.id });
    expect(revoked.text).toContain("Revoked 1 session");
  }, 60_000);

  it("continues after an interruption at each question", async () => {
    const email = `again-${randomUUID()}@example.com`;
    const exists = async () => ((await idOf(email)) ? "y" : "n");
    const answers: Answers = { "E-mail": email, "Does an account": exists };
    const next: [string, Answers[string]][] = [
      ["Password", password],
      ["Name", "Grace"],
      ["Code from the mail", async () => mailedCode(stores, "verify_email", await idOf(email))],
      ["First code", appCode],
    ];
    const asked: string[] = [];
    const live = async () =>
      stores.sql(
        "select id from sessions where user_id = $1 and revoked_at is null",
        await idOf(email),
      );
    for (const [question, answer] of next) {
      await expect(enrol(scripted(answers))).rejects.toThrow(question);
      // Without a second factor it would be of no use, but live.
      expect(session().read()).toBeNull();
      if (await idOf(email)) expect(await live()).toEqual([]);
      answers[question] = answer;
      asked.push(question);
      await stores.liftLimits();
    }
    const terminal = scripted(answers);
    const { body } = await enrol(terminal);
    expect(terminal.asked).toEqual([
      "E-mail",
      expect.stringMatching(/^Does an account/),
      "Password",
      "First code of the app",
    ]);
    expect((body as { recoveryCodes: string[] }).recoveryCodes).toHaveLength(10);
    expect(await stores.sql("select role from users where email = $1", email)).toEqual([
      { role: "admin" },
    ]);
    const grants = await stores.sql(
      "select from audit_log where action = 'role.granted' and subject_id = $1",
      await idOf(email),
    );
    expect(grants).toHaveLength(1);
    expect(await status()).toMatchObject({ items: [{ secondFactor: true }] });

    // After the last step nothing is left to do.
    const code = (shown: string) => authenticator(secretIn(terminal.shown) || shown).code();
    const user = { user: { id: await idOf(email) } } as Parameters<typeof resetUsedStep>[1];
    await resetUsedStep(stores, user);
    const done = await enrol(scripted({ ...answers, "Second factor code": code }));
    expect(done.text).toContain("It was set up before.");
    await resetUsedStep(stores, user);
    const renewed = await enrol(scripted({ ...answers, "Second factor code": code }), {
      "new-recovery-codes": true,
    } as object);
    const { recoveryCodes } = renewed.body as { recoveryCodes: string[] };
    expect(recoveryCodes).toHaveLength(10);
    expect(recoveryCodes).not.toEqual((body as { recoveryCodes: string[] }).recoveryCodes);
  }, 120_000);

  it("says who is signed in and does not ask again", async () => {
    const operator = await anOperator(stores);
    const { app } = operator;
    const code = async () => {
      await resetUsedStep(stores, operator);
      return app.code();
    };
    const answers = { "E-mail": operator.email, Password: password, "Second factor code": code };
    await enrol(scripted(answers), { token: "" });
    const again = scripted({});
    const { text } = await enrol(again, { token: "" });
    expect(again.asked).toEqual([]);
    expect(again.shown).toBe(
      `Signed in as ${operator.email}. For another account, sign out first: npm run ops -- logout\n`,
    );
    expect(text).toContain("It was set up before.");

    // New recovery codes need a recent second factor.
    await stores.sql(
      "update sessions set authenticated_at = now() - interval '20 minutes' where user_id = $1",
      operator.user.id,
    );
    const stored = session().read();
    if (stored) session().write({ ...stored, expiresAt: 0 });
    const renewing = scripted({ "Second factor code": code });
    const renewed = await enrol(renewing, { token: "", "new-recovery-codes": true } as object);
    expect(renewing.asked).toEqual(["Second factor code"]);
    expect((renewed.body as { recoveryCodes: string[] }).recoveryCodes).toHaveLength(10);
  }, 60_000);

  it("asks who it is when the session has ended or lost its role", async () => {
    const operator = await anOperator(stores);
    const code = async () => {
      await resetUsedStep(stores, operator);
      return operator.app.code();
    };
    const answers = { "E-mail": operator.email, Password: password, "Second factor code": code };
    await enrol(scripted(answers), { token: "" });
    await stores.sql("update users set role = 'user' where id = $1", operator.user.id);
    const asked = scripted({});
    await expect(enrol(asked, { token: "" })).rejects.toThrow("E-mail");
    expect(asked.shown).toBe("");
  }, 60_000);

  it("takes an existing account with its second factor", async () => {
    const person = await aBoundUser(stores);
    const app = await enrolFactor(stores, person);
    const terminal = scripted({
      "E-mail": person.email,
      "Does an account": "yes",
      Password: password,
      "Second factor code": async () => {
        await resetUsedStep(stores, person);
        return app.code();
      },
    });
    expect((await enrol(terminal)).text).toContain("It was set up before.");
    expect(await status()).toMatchObject({ items: [{ id: person.user.id, role: "admin" }] });
  }, 60_000);

  it("sets up the second factor of an operator without the break-glass token", async () => {
    const person = await aBoundUser(stores);
    await stores.sql("update users set role = 'operator' where id = $1", person.user.id);
    const terminal = scripted({
      "E-mail": person.email,
      Password: password,
      "First code": appCode,
    });
    const { text } = await enrol(terminal, { token: "" });
    expect(text).not.toContain("OPS_TOKEN");
    expect(await status()).toMatchObject({ items: [{ secondFactor: true }] });
  }, 60_000);

  it("refuses a wrong OPS_TOKEN before any question, and names it", async () => {
    const terminal = scripted({});
    const token = `${breakGlassToken}-of-another-server`;
    await expect(enrol(terminal, { token })).rejects.toThrow(
      /^401 token_invalid: .*OPS_TOKEN is not the one of http:\S+\.$/,
    );
    expect(terminal.asked).toEqual([]);
  });

  it("creates no account when operators exist, and confirms no address", async () => {
    const begun = `begun-${randomUUID()}@example.com`;
    const answers = { "Does an account": "no", Password: password, Name: "Grace" };
    const unconfirmed = scripted({ "E-mail": begun, ...answers });
    await expect(enrol(unconfirmed)).rejects.toThrow("Code from the mail");
    await anOperator(stores, "admin");
    const again = scripted({ "E-mail": begun, "Does an account": "yes", Password: password });
    await expect(enrol(again)).rejects.toThrow(/operators_exist/);
    const email = `late-${randomUUID()}@example.com`;
    await expect(enrol(scripted({ "E-mail": email, ...answers }))).rejects.toThrow(
      /operators already.* operator grant USER/,
    );
    expect(await idOf(email)).toBe("");
  }, 60_000);

  it("names RESEND_API_KEY before it creates an account whose code could not be mailed", async () => {
    const token = "a-break-glass-token-of-32-bytes-or-more";
    setEnvironment({ NODE_ENV: "production", OPS_TOKEN: token });
    const email = `unmailed-${randomUUID()}@example.com`;
    const terminal = scripted({ "E-mail": email, "Does an account": "no" });
    await expect(enrol(terminal, { token })).rejects.toThrow(
      "The address of the account is confirmed with a mailed code, but no mail is sent: set RESEND_API_KEY on the server and deploy.",
    );
    expect(await idOf(email)).toBe("");
  }, 60_000);

  it("refuses when operators exist, and without the break-glass token", async () => {
    const person = await aBoundUser(stores);
    const answers = { "E-mail": person.email, "Does an account": "yes", Password: password };
    await expect(enrol(scripted(answers), { token: "" })).rejects.toThrow(/set OPS_TOKEN/);
    await anOperator(stores, "admin");
    await expect(enrol(scripted(answers))).rejects.toThrow(/operators_exist/);
  }, 60_000);

  it("asks again for an unclear answer and for a password that is too short, differs or is too common, without a sign-in", async () => {
    const email = `clumsy-${randomUUID()}@example.com`;
    const next =
      (...typed: string[]) =>
      () =>
        typed.shift() ?? "";
    const before = await stores.sql("select count(*) from users");
    await drained(stores);
    await stores.sql("delete from security_events");
    const terminal = scripted({
      "E-mail": next("clumsy", email),
      "Does an account": next("maybe", "no"),
      "Password again": next("different", "password1", password),
      "Another password": password,
      Password: next("short", "pasword1", "password1"),
      Name: "Grace",
    });
    await expect(enrol(terminal)).rejects.toThrow("Code from the mail");
    expect(terminal.asked).toEqual([
      ...["E-mail", "E-mail"],
      expect.stringMatching(/^Does an account/),
      expect.stringMatching(/^Does an account/),
      ...["Password", "Password", "Password again", "Password", "Password again", "Name"],
      ...["Another password", "Password again", "Code from the mail"],
    ]);
    expect(terminal.shown).toMatch(
      /^E-mail must be an e-mail address\.\nAnswer yes or no\.\nThe password must have 8 to 128 characters\.\nThe passwords differ\.\n422 validation_failed/,
    );
    expect(await stores.sql("select count(*) from users")).not.toEqual(before);
    await drained(stores);
    const failed = "select count(*) as n from security_events where event = 'login_failed'";
    expect(await stores.sql(failed)).toEqual([{ n: "0" }]);
  }, 60_000);

  it("restores the last admin, who lost the phone and the recovery codes, with the statement of the runbook", async () => {
    const admin = await anOperator(stores, "admin");
    const runbook = readFileSync("docs/runbooks/second-factor-lost.md", "utf8");
    const [, statement = ""] =
      /^psql "\$\{DATABASE_URL:\?\}" -c "(with gone .*)"$/m.exec(runbook) ?? [];
    const [, select = ""] = /-c "(select .*)"$/m.exec(runbook) ?? [];
    expect(await stores.sql(select.replace(/\$\{EMAIL:\?\}/, admin.email))).toMatchObject([
      { id: admin.user.id, role: "admin" },
    ]);
    await stores.sql(statement.replace(/\$\{USER_ID:\?\}/g, admin.user.id));
    const rows = await stores.sql(
      "select action, actor_kind from audit_log where subject_id = $1 order by id desc limit 1",
      admin.user.id,
    );
    expect(rows).toEqual([{ action: "totp.disabled", actor_kind: "system" }]);
    const revoked = await call(revocations, "POST", {
      token: breakGlassToken,
      body: { user: admin.user.id, reason: "removed with SQL" },
    });
    expect(revoked.status).toBe(200);
    expect((await call(user, "GET", { token: admin.token })).code).toBe("session_revoked");
    const answers = { "E-mail": admin.email, Password: password, "First code": appCode };
    const { body } = await enrol(scripted(answers), { token: "" });
    expect((body as { recoveryCodes: string[] }).recoveryCodes).toHaveLength(10);
    expect(await status()).toMatchObject({
      items: [{ id: admin.user.id, role: "admin", secondFactor: true }],
    });
  }, 60_000);

  it("says only that it was cancelled, at the end of input in a terminal", async () => {
    const env = { HOME: directory, OPS_URL: served.url };
    expect(await opsInProcess(["operator", "enrol"], { env, isTerminal: true })).toEqual({
      status: 2,
      out: "",
      error: "Cancelled.\n",
    });
  });

  it("refuses without a terminal", async () => {
    const env = { HOME: directory, OPS_URL: served.url, OPS_TOKEN: breakGlassToken };
    const refused = await opsInProcess(["operator", "enrol"], { env, stdin: ["ada@example.com"] });
    expect(refused).toMatchObject({
      status: 2,
      error: expect.stringContaining("needs a terminal"),
    });
  });
});

import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import forgotPassword from "../../../api/auth/forgot-password.js";
import login from "../../../api/auth/login.js";
import operatorTokens from "../../../api/ops/operator-tokens/index.js";
import signIns from "../../../api/ops/sign-ins/index.js";
import user from "../../../api/user/index.js";
import { routeGroups } from "../../../lib/admission/route-groups.js";
import { call } from "../../support/call.js";
import { setDefaults } from "../../support/environment.js";
import {
  anOperator,
  breakGlassToken,
  demoteOperators,
  type OperatorPerson,
  operate,
} from "../../support/operators.js";
import { bundledOps, ops, opsInProcess } from "../../support/ops-command.js";
import { aBoundUser, anAddress, aUser, password } from "../../support/people.js";
import { resetUsedStep } from "../../support/second-factor.js";
import { useServedFunctions } from "../../support/served-functions.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const served = useServedFunctions();
setDefaults({ OPS_TOKEN: breakGlassToken, RATE_LIMIT_MAX_REQUESTS: "100000" });

const config = mkdtempSync(join(tmpdir(), "linguamate-ops-"));
afterAll(() => rmSync(config, { recursive: true, force: true }));

const directory = join(config, "linguamate-ops");
const signedOut = () => ({ HOME: config, XDG_CONFIG_HOME: config, OPS_URL: served.url });
const because = ["--reason", "a test"];
const inAnEmergency = ["--break-glass", ...because];

function storedSession(): { path: string; session: Record<string, unknown> } {
  const [name = ""] = readdirSync(directory);
  const path = join(directory, name);
  return { path, session: JSON.parse(readFileSync(path, "utf8")) };
}

async function signIn(operator: OperatorPerson, run = opsInProcess, code = operator.app.code()) {
  await resetUsedStep(stores, operator);
  const stdin = [operator.email, password, code];
  return run(["login"], { env: signedOut(), stdin });
}

beforeEach(async () => {
  rmSync(directory, { recursive: true, force: true });
  await stores.liftLimits();
  await demoteOperators(stores);
});

describe("npm run ops", () => {
  it("prints help for all commands, a group and one command", async () => {
    const env = signedOut();
    const [all, nothing, group, groupHelp, one, wrong, unknown, bare, opn] = await Promise.all([
      bundledOps(["--help"], { env }),
      opsInProcess([], { env }),
      ops(["sessions"], { env }),
      opsInProcess(["sessions", "--help"], { env }),
      opsInProcess(["revoke", "everybody", "--help"], { env }),
      opsInProcess(["sessions", "kill"], { env }),
      opsInProcess(["dance"], { env }),
      opsInProcess(["flag", "--help"], { env }),
      opsInProcess(["breaker", "opn", "toolkit", ...because], { env }),
    ]);
    expect(all).toMatchObject({ status: 0, error: "" });
    expect(all.out).toMatch(/^ {2}sessions +list · show · revoke$/m);
    expect(nothing).toEqual(all);
    expect(group.status).toBe(2);
    expect(group.error).toMatch(/sessions list USER +the sessions of a user/);
    expect(groupHelp).toMatchObject({
      status: 0,
      out: expect.stringContaining("sessions revoke [WHAT]"),
    });
    expect(one.out).toMatch(/[^[]--confirm CONFIRM --reason TEXT\s+\[--dry-run\]/);
    expect(one.out).toMatch(/Guests cannot sign in again/);
    expect(wrong).toMatchObject({
      status: 2,
      error: expect.stringContaining("Unknown command: sessions kill"),
    });
    expect(unknown).toMatchObject({
      status: 2,
      error: expect.stringContaining("Unknown command: dance"),
    });
    expect(bare).toMatchObject({ status: 0, out: expect.stringContaining("flag off NAME") });
    expect(opn).toMatchObject({
      status: 2,
      error: expect.stringMatching(/^Unknown command: breaker opn\n\n.*breaker open SERVICE/),
    });
  }, 60_000);

  it("signs in from a pipe, stores the session for its owner only, and deletes it at logout", async () => {
    const operator = await anOperator(stores);
    const signedIn = await signIn(operator, ops);
    expect(signedIn).toMatchObject({ status: 0, out: `Signed in at ${served.url}.\n` });
    const { path, session } = storedSession();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(JSON.stringify(session)).not.toContain(password);

    const env = signedOut();
    const found = await ops(["find", operator.email, "--json"], { env });
    expect(found.status).toBe(0);
    expect(JSON.parse(found.out).accounts).toMatchObject([{ id: operator.user.id }]);
    expect((await ops(["find", operator.email], { env })).out).toContain("\nAudit log\n");

    const out = await ops(["logout"], { env });
    expect(out).toMatchObject({ status: 0, out: `Signed out at ${served.url}.\n` });
    expect(readdirSync(directory)).toEqual([]);
    const ended = await call(user, "GET", { token: String(session.accessToken) });
    expect(ended.code).toBe("session_revoked");
    const refused = await ops(["find", operator.email], { env });
    expect(refused).toMatchObject({
      status: 3,
      error: expect.stringMatching(/token_missing[\s\S]*login/),
    });
  }, 60_000);

  it("reports a password that is too long as wrong usage", async () => {
    const stdin = ["a@example.com", "long".repeat(1000)];
    const refused = await opsInProcess(["login"], { env: signedOut(), stdin });
    expect(refused).toMatchObject({
      status: 2,
      error: expect.stringContaining("validation_failed"),
    });
  });

  it("stores no session for a learner or without a second factor", async () => {
    const learner = await aBoundUser(stores);
    const unarmed = await aBoundUser(stores);
    await stores.sql("update users set role = 'operator' where id = $1", unarmed.user.id);
    const outcomes = await Promise.all(
      [learner.email, unarmed.email].map((email) =>
        opsInProcess(["login"], { env: signedOut(), stdin: [email, password] }),
      ),
    );
    expect(outcomes).toMatchObject([
      {
        status: 3,
        error: expect.stringMatching(/invalid_credentials[\s\S]*the account is not an operator/),
      },
      { status: 3, error: expect.stringContaining("must use a second factor") },
    ]);
    const wrong = await opsInProcess(["login"], {
      env: signedOut(),
      stdin: [learner.email, "wrong"],
    });
    expect(wrong).toMatchObject({
      status: 3,
      error: expect.stringContaining("invalid_credentials"),
    });
    const short = await ops(["login"], { env: signedOut(), stdin: [learner.email] });
    expect(short).toMatchObject({ status: 2, error: expect.stringContaining("Password") });
    const live = await stores.sql(
      "select 1 from sessions where device_name = 'ops command line' and revoked_at is null",
    );
    expect(live).toEqual([]);
  }, 60_000);

  it("refreshes an old session, and says what to do when the factor was used too long ago", async () => {
    const operator = await anOperator(stores);
    await signIn(operator);
    const { path, session } = storedSession();
    writeFileSync(path, JSON.stringify({ ...session, expiresAt: 0 }));
    await stores.sql(
      "update sessions set authenticated_at = now() - interval '20 minutes' where device_name = 'ops command line'",
    );
    const env = signedOut();
    const victim = await aUser();
    const change = ["sessions", "revoke", victim.sessionId, ...because];
    const late = await opsInProcess(change, { env });
    expect(late).toMatchObject({
      status: 3,
      error: expect.stringMatching(/reauth_required[\s\S]*confirm/),
    });
    expect(storedSession().session.refreshToken).not.toBe(session.refreshToken);
    expect(storedSession().session.rotationId).toBeUndefined();

    await resetUsedStep(stores, operator);
    const confirmed = await opsInProcess(["confirm"], { env, stdin: [operator.app.code()] });
    expect(confirmed.status).toBe(0);
    expect(await opsInProcess(change, { env })).toMatchObject({
      status: 0,
      out: `Revoked session ${victim.sessionId}. There is no undo: the user signs in again, a guest cannot.\n`,
    });
    expect((await call(user, "GET", { token: victim.accessToken })).code).toBe("session_revoked");
  }, 60_000);

  it("signs in, refreshes, confirms and signs out while all route groups are disabled, and enables them", async () => {
    const operator = await anOperator(stores);
    await signIn(operator);
    const env = signedOut();
    const groups = Object.keys(routeGroups);
    const planned = await opsInProcess(["flag", "off", "auth", "--dry-run", ...because], { env });
    expect(planned).toMatchObject({ status: 0, error: "" });
    expect(planned.out).toMatch(
      /^Dry run, nothing changed\. Would switch auth off\. Every route under \/api\/auth\/ answers 503/,
    );
    for (const name of groups) {
      expect((await opsInProcess(["flag", "off", name, ...because], { env })).status).toBe(0);
    }
    const off = await opsInProcess(["selftest"], { env });
    expect(off).toMatchObject({ status: 1, out: expect.stringContaining("503") });
    expect(off.out).toMatch(
      /FAIL +503 .*\n {4}code feature_disabled {2}correlationId [\da-f-]{36}\n {4}next npm run ops -- flag$/m,
    );

    // An expired access token is refreshed.
    const { path, session } = storedSession();
    writeFileSync(path, JSON.stringify({ ...session, expiresAt: 0 }));
    expect((await opsInProcess(["flag"], { env })).out).toMatch(/^auth +kill_switch +OFF/m);
    expect(storedSession().session.refreshToken).not.toBe(session.refreshToken);
    await resetUsedStep(stores, operator);
    expect((await opsInProcess(["confirm"], { env, stdin: [operator.app.code()] })).status).toBe(0);

    // Signs in again after the session is deleted.
    expect((await opsInProcess(["logout"], { env })).status).toBe(0);
    expect((await signIn(operator)).status).toBe(0);
    for (const name of groups) {
      expect((await opsInProcess(["flag", "on", name, ...because], { env })).status).toBe(0);
    }
    expect((await opsInProcess(["selftest"], { env })).status).toBe(0);
  }, 90_000);

  it("signs in with a code pasted at the prompt", async () => {
    const operator = await anOperator(stores);
    const code = operator.app.code();
    const pasted = `  ${code.slice(0, 3)}\u00a0\u2013\u200b${code.slice(3)}. `;
    expect(await signIn(operator, opsInProcess, pasted)).toMatchObject({ status: 0 });
  });

  it("says that a recovery code was used, and how many are left", async () => {
    const operator = await anOperator(stores);
    const [code] = operator.app.recoveryCodes;
    expect(await signIn(operator, opsInProcess, code)).toMatchObject({
      status: 0,
      out: `Signed in at ${served.url} with a recovery code. 9 recovery codes are left.\n`,
    });
  });

  it("names the request of a failed selftest step, and how to look it up", async () => {
    const session = createServer((request, response) => {
      const isGuest = request.url === "/api/auth/guest";
      response.writeHead(isGuest ? 201 : 500, { "content-type": "application/problem+json" });
      response.end(
        isGuest ? '{"accessToken":"a","refreshToken":"r"}' : '{"code":"internal_error"}',
      );
    });
    await new Promise<void>((listening) => session.listen(0, "127.0.0.1", listening));
    const url = `http://127.0.0.1:${(session.address() as AddressInfo).port}`;
    const outcome = await opsInProcess(["selftest", "--url", url, "--json"], { env: signedOut() });
    session.close();
    const [passed, failed] = JSON.parse(outcome.out).steps;
    expect(passed).toMatchObject({ is: "pass", status: 201 });
    expect(failed).toMatchObject({ is: "FAIL", status: 500, code: "internal_error" });
    expect(failed.next).toBe(`npm run ops -- find ${failed.correlationId}`);
  });

  it("sends its token to bypass the login delay, or signs in without it", async () => {
    const operator = await anOperator(stores);
    await signIn(operator);
    for (let guess = 0; guess < 5; guess += 1) {
      const body = { email: operator.email, password: "a guess" };
      await call(signIns, "POST", { body, ip: anAddress() });
    }
    expect((await signIn(operator)).status).toBe(0);
    const { path, session } = storedSession();
    await stores.liftLimits();
    writeFileSync(path, JSON.stringify({ ...session, accessToken: "of.another.secret" }));
    expect((await signIn(operator)).status).toBe(0);
  }, 60_000);

  it("deletes a session that was revoked elsewhere", async () => {
    const operator = await anOperator(stores);
    await signIn(operator);
    const { path, session } = storedSession();
    await stores.sql("update sessions set revoked_at = now() where user_id = $1", operator.user.id);
    writeFileSync(path, JSON.stringify({ ...session, expiresAt: 0 }));
    const refused = await opsInProcess(["operator", "list"], { env: signedOut() });
    expect(refused).toMatchObject({
      status: 3,
      error: expect.stringContaining("npm run ops -- login"),
    });
    expect(readdirSync(directory)).toEqual([]);
  }, 60_000);

  it("uses OPS_TOKEN without a session, within the token's scopes", async () => {
    const admin = await anOperator(stores, "admin");
    const given = {
      name: `ci-${admin.user.id.slice(0, 8)}`,
      scopes: ["sessions:read"],
      ttlSeconds: 600,
    };
    const made = await operate(operatorTokens, "POST", admin.token, given);
    const env = { ...signedOut(), OPS_TOKEN: made.body.detail.token };
    const person = await aUser();
    const answer = await opsInProcess(["sessions", "show", person.sessionId], { env });
    expect(answer.status).toBe(0);
    expect(answer.out).toMatch(/^state +live$/m);
    await stores.redis("DEL", `session:${person.sessionId}`);
    await call(user, "GET", { token: person.accessToken });
    expect((await opsInProcess(["sessions", "show", person.sessionId], { env })).status).toBe(1);
    const beyond = await opsInProcess(["jwt", "rotation"], { env });
    expect(beyond).toMatchObject({ status: 3, error: expect.stringContaining("403 forbidden") });
    for (const id of ["x".repeat(22), `-${"x".repeat(21)}`, `--${"x".repeat(20)}`]) {
      const unknown = await opsInProcess(["sessions", "show", id], { env });
      expect(unknown).toMatchObject({ status: 1, error: expect.stringContaining("404 not_found") });
    }
  }, 60_000);

  it("says that break-glass cannot do it, not that the person lacks permission", async () => {
    const env = { ...signedOut(), OPS_TOKEN: breakGlassToken };
    const person = await aUser();
    const removal = ["user", "remove-second-factor", person.user.id, ...inAnEmergency];
    expect(await opsInProcess(removal, { env })).toMatchObject({
      status: 3,
      error: expect.stringContaining("The break-glass token cannot do this"),
    });
  });

  it("asks for no password for something else than an e-mail address", async () => {
    const stdin = ["not-an-email"];
    expect(await opsInProcess(["login"], { env: signedOut(), stdin })).toMatchObject({
      status: 2,
      error: expect.stringContaining("E-mail must be an e-mail address."),
    });
  });

  it("prefers a session to OPS_TOKEN, unless --break-glass is given", async () => {
    const operator = await anOperator(stores);
    await signIn(operator);
    const env = { ...signedOut(), OPS_TOKEN: breakGlassToken };
    const uses = () => stores.sql("select 1 from audit_log where action = 'break_glass'");
    const before = await uses();
    expect(await opsInProcess(["flag"], { env })).toMatchObject({ status: 0, error: "" });
    expect((await uses()).length).toBe(before.length);

    const notice = expect.stringMatching(/^OPS_TOKEN was sent, not a session\..*audited.*\n$/);
    const broken = await opsInProcess(["flag", "--break-glass"], { env });
    expect(broken).toMatchObject({ status: 0, error: notice });
    expect((await uses()).length).toBe(before.length + 1);
    const without = await opsInProcess(["flag", "--break-glass"], { env: signedOut() });
    expect(without).toMatchObject({ status: 2, error: expect.stringContaining("OPS_TOKEN") });

    await opsInProcess(["logout"], { env });
    expect(await opsInProcess(["flag", "--break-glass"], { env })).toMatchObject({
      status: 0,
      error: notice,
    });
    // It needs no sign-in, so it sends no token.
    expect((await opsInProcess(["health", "--break-glass"], { env })).error).toBe("");

    // Without a session, too, it is not sent by itself, and a refusal names it.
    const refused = await opsInProcess(["flag"], { env });
    expect(refused).toMatchObject({
      status: 3,
      error: expect.stringMatching(/token_missing.*\nOPS_TOKEN was not sent\..*--break-glass\.\n$/),
    });
    expect((await uses()).length).toBe(before.length + 2);
    // Where the token cannot help, it is not mentioned.
    await signIn(operator);
    const missing = await opsInProcess(["sessions", "list", randomUUID()], { env });
    expect(missing).toMatchObject({ status: 1, error: expect.stringContaining("404 not_found") });
    expect(missing.error).not.toContain("OPS_TOKEN");
  }, 60_000);

  it("needs no second factor for a dry run", async () => {
    const operator = await anOperator(stores);
    await signIn(operator);
    const { path, session } = storedSession();
    writeFileSync(path, JSON.stringify({ ...session, expiresAt: 0 }));
    await stores.sql(
      "update sessions set authenticated_at = now() - interval '20 minutes' where device_name = 'ops command line'",
    );
    const env = signedOut();
    const victim = await aUser();
    const change = ["sessions", "revoke", victim.sessionId, ...because];
    expect(await opsInProcess([...change, "--dry-run"], { env })).toMatchObject({
      status: 0,
      out: `Dry run, nothing changed. Would revoke session ${victim.sessionId}. There is no undo: the user signs in again, a guest cannot.\n`,
    });
    expect((await call(user, "GET", { token: victim.accessToken })).status).toBe(200);
    // Without a terminal, one line says what to run.
    expect(await opsInProcess(change, { env })).toMatchObject({
      status: 3,
      error: expect.stringMatching(/^[^\n]*reauth_required[^\n]*npm run ops -- confirm[^\n]*\n$/),
    });
  }, 60_000);

  it("reads a token to inspect from stdin", async () => {
    const operator = await anOperator(stores);
    await signIn(operator);
    const env = signedOut();
    const person = await aUser();
    for (const args of [
      ["jwt", "inspect"],
      ["jwt", "inspect", "-"],
    ]) {
      const inspected = await opsInProcess(args, { env, stdin: [person.accessToken] });
      expect(inspected).toMatchObject({ status: 0, out: expect.stringContaining(person.user.id) });
    }
  }, 60_000);

  it("creates the first admin with the break-glass token, with a reason, an undo command and a dry run", async () => {
    const env = { ...signedOut(), OPS_TOKEN: breakGlassToken };
    const person = await aBoundUser(stores);
    const grant = ["operator", "grant", person.email, "--break-glass"];
    const unreasoned = await opsInProcess(grant, { env });
    expect(unreasoned).toMatchObject({ status: 2, error: expect.stringContaining("--reason") });
    const dry = await opsInProcess([...grant, ...because, "--dry-run"], { env });
    expect(dry).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^Dry run, nothing changed\. Would make .* admin/),
    });
    expect(dry.out).not.toContain("Undo:");
    const granted = await opsInProcess([...grant, ...because], { env });
    expect(granted.out).toContain(`Undo: npm run ops -- operator revoke ${person.user.id}`);
    expect((await opsInProcess([...grant, ...because], { env })).status).toBe(1);
    const [row] = await stores.sql("select role from users where id = $1", person.user.id);
    expect(row?.role).toBe("admin");
    const curt = await opsInProcess([...grant, "--reason", "x"], { env });
    expect(curt).toMatchObject({
      status: 2,
      error: expect.stringMatching(
        /^--reason must be a text of 3 to 500 characters, not x\.\n\nusage: .*operator grant .*\n {7}\[--dry-run\] .*\n$/,
      ),
    });
    const closing = await opsInProcess(["restore", "begin", ...because], { env });
    expect(closing).toMatchObject({
      status: 2,
      error: expect.stringContaining("--confirm closed"),
    });
    const mistyped = ["operator", "token", "create", "ci2", "--scopes", "helth:read", ...because];
    expect(await opsInProcess(mistyped, { env })).toMatchObject({
      status: 2,
      error: expect.stringMatching(
        /^--scopes must name one of access-log, .*health,.*, not helth:read/,
      ),
    });
    const everybody = await opsInProcess(["revoke", "everybody", ...because], { env });
    expect(everybody).toMatchObject({
      status: 2,
      error: expect.stringContaining("--confirm everybody"),
    });
  }, 60_000);

  it("escapes control characters, such as those in a learner's device name", async () => {
    const admin = await anOperator(stores, "admin");
    const token = { name: `ci-${admin.user.id.slice(0, 8)}`, scopes: ["*:read"], ttlSeconds: 600 };
    const made = await operate(operatorTokens, "POST", admin.token, token);
    const env = { ...signedOut(), OPS_TOKEN: made.body.detail.token };
    const name = "phone\u001b]0;owned\u0007\u009b2J\nanother row\u202e";
    const appVersion = "\u001b[31m1.0";
    const person = await aUser({ device: { id: "a-device-of-theirs", name, appVersion } });

    const [list, show, asJson] = await Promise.all([
      opsInProcess(["sessions", "list", person.user.id], { env }),
      opsInProcess(["sessions", "show", person.sessionId], { env }),
      opsInProcess(["sessions", "list", person.user.id, "--json"], { env }),
    ]);
    const escaped = "phone\\u001b]0;owned\\u0007\\u009b2J\\u000aanother row\\u202e";
    expect(list.out.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^id +state/),
      expect.stringContaining(person.sessionId),
      `    device ${escaped}`,
      expect.stringMatching(/^ {4}createdAt 2\S+ {2}network \S+$/),
    ]);
    expect(show.out).toContain(`${escaped}\n`);
    expect(show.out).toMatch(/ \\u001b\[31m1\.0$/m);
    for (const { status, out } of [list, show, asJson]) {
      expect(status).toBe(0);
      expect(out.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
    expect(JSON.parse(asJson.out).items[0].deviceName).toBe(name);

    const typed = await opsInProcess(["dance\u001b[2J"], { env });
    expect(typed.error).toContain("Unknown command: dance\\u001b[2J");
  }, 60_000);

  it("says in one line that nothing was found, with exit status 1, and how to get more rows", async () => {
    const admin = await anOperator(stores, "admin");
    const token = { name: `ci-${admin.user.id.slice(0, 8)}`, scopes: ["*:*"], ttlSeconds: 600 };
    const made = await operate(operatorTokens, "POST", admin.token, token);
    const env = { ...signedOut(), OPS_TOKEN: made.body.detail.token };
    const nothing = await opsInProcess(["find", "203.0.113.250"], { env });
    expect(nothing).toMatchObject({ status: 1, error: "" });
    expect(nothing.out).toMatch(
      /^Nothing found for 203\.0\.113\.250\. Events up to 2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.\n$/,
    );
    const ip = anAddress();
    for (let time = 0; time < 2; time++) await call(user, "GET", { token: "none", ip });
    await stores.settled();
    const some = await opsInProcess(["find", ip, "--limit", "1"], { env });
    expect(some.status).toBe(0);
    expect(some.out).toMatch(
      new RegExp(`The newest 1\\. More:\nnpm run ops -- access-log --ip ${ip} --since 2`),
    );
    const more = /^npm run ops -- (access-log .*)$/m.exec(some.out)?.[1]?.split(" ") ?? [];
    const listed = await opsInProcess(more, { env });
    expect(listed.out.match(/token_invalid/g)).toHaveLength(2);

    const person = await aUser();
    const byAccount = await opsInProcess(["sessions", "revoke", person.user.id, ...because], {
      env,
    });
    expect(byAccount.out).toContain(`Revoked 1 session of ${person.user.id}.`);
    const { email } = await aUser();
    for (const command of [
      ["sessions", "list"],
      ["revoke", "user"],
      ["user", "suspend"],
    ]) {
      const isChange = command[0] !== "sessions";
      const claimed = await opsInProcess([...command, email, ...(isChange ? because : [])], {
        env,
      });
      expect(claimed).toMatchObject({
        status: 1,
        error: expect.stringContaining(`No account has confirmed the e-mail address ${email}. `),
      });
    }
    const suppression = (...args: string[]) =>
      opsInProcess(["mail", "suppression", ...args], { env });
    const withoutCause = await suppression("set", email, ...because);
    expect(withoutCause).toMatchObject({
      status: 2,
      error: expect.stringContaining("--cause is required: bounced or complained."),
    });
    const set = await suppression("set", email, "--cause", "complained", ...because);
    expect(set.status).toBe(0);
    const found = await suppression("list", "--email", email);
    expect(found).toMatchObject({ status: 0, out: expect.stringContaining("complained") });
    const lifted = await suppression("lift", email, ...because);
    expect(lifted.out).toContain(`Undo: npm run ops -- mail suppression set ${email}`);
    expect((await suppression("list", "--email", email)).out).toBe("No suppressed addresses.\n");
  }, 60_000);

  it("leads from an attack to its address, the accounts tried and their mail limits", async () => {
    const admin = await anOperator(stores, "admin");
    const token = { name: `ci-${admin.user.id.slice(0, 8)}`, scopes: ["*:read"], ttlSeconds: 600 };
    const made = await operate(operatorTokens, "POST", admin.token, token);
    const env = { ...signedOut(), OPS_TOKEN: made.body.detail.token };
    await stores.sql("delete from security_events");
    const victim = await aBoundUser(stores);
    const ip = anAddress();
    const unknown = `nobody-${randomUUID()}@example.com`;
    for (const email of [victim.email, victim.email, unknown]) {
      await call(login, "POST", { body: { email, password: "wrong" }, ip });
    }
    await call(forgotPassword, "POST", { body: { email: victim.email }, ip });
    await stores.settled();
    const network = ip.replace(/\d+$/, "0/24");
    const listed = await opsInProcess(["security", "--network", network], { env });
    expect(listed.out).toMatch(/^Events up to 2[\d-]+ [\d:]+ UTC\.\ncount +event +targets/);
    expect(listed.out).toMatch(new RegExp(`^3 +login_failed +2 +2\\S+ +${ip}$`, "m"));
    await call(login, "POST", { body: { email: victim.email, password }, ip });
    const entered = await opsInProcess(["find", ip, "--limit", "1"], { env });
    expect(entered.out).toMatch(
      new RegExp(
        `^Entered accounts: .* 7 days, from all addresses of its network\nemail +sign-ins +live +lastAt\n\\S+ +1 +1 .*\n +id ${victim.user.id}\nEnd the sessions of one: npm run ops -- revoke user ID`,
        "m",
      ),
    );
    const byIp = await opsInProcess(["find", ip], { env });
    expect(byIp.out.match(new RegExp(`accountId ${victim.user.id}`, "g"))).toHaveLength(2);
    // The hash is shown only where it is all that is known, and `find` takes it.
    const [hash = "", ...others] = [...byIp.out.matchAll(/"account":"([\w-]{22})"/g)].map(
      ([, found]) => found,
    );
    expect(others).toEqual([]);
    expect((await opsInProcess(["find", hash], { env })).out).toContain("login_failed");
    const byEmail = await opsInProcess(["find", victim.email], { env });
    expect(byEmail.out).toMatch(
      /\nMail\nqueuedAt [\s\S]*\nlimit +used +no mail until\nreset mails per hour +1\/10 +-\n/,
    );
    expect(byEmail.out).toMatch(
      /No limit of this address withholds mail\..* per IP address[\s\S]*npm run ops -- find IP\n/,
    );
    expect(byIp.out).not.toContain("No limit of this address");
    expect(byEmail.out.match(/login_failed/g)).toHaveLength(2);
    for (const list of ["access-log", "errors", "slow", "ratelimit top"]) {
      const { out } = await opsInProcess(list.split(" "), { env });
      expect(out, list).toMatch(/^Events up to 2[\d-]+ [\d:]+ UTC\.\n/);
    }
  }, 60_000);

  it("finds a stolen account by its former address, and lists the actions for an unknown one", async () => {
    const operator = await anOperator(stores);
    await signIn(operator);
    const env = signedOut();
    const { email, user: owner } = await aBoundUser(stores);
    await stores.sql(
      `with change as (
         insert into email_changes (id, user_id, old_email, created_at, expires_at)
         values (gen_random_uuid(), $1, $2, '2026-01-31T08:00:00Z', now() + interval '7 days')
       )
       update users set email = 'thief-' || $2 where id = $1`,
      owner.id,
      email,
    );
    const found = await opsInProcess(["find", email], { env });
    expect(found.out).toMatch(
      new RegExp(
        `\n${owner.id}: address changed at 2026-01-31T08:00:00Z\\.\nThe code .* old address undoes it until 2`,
      ),
    );
    // A command about an account does not take it, and leads there.
    const listed = await opsInProcess(["sessions", "list", email], { env });
    expect(listed).toMatchObject({
      status: 1,
      error: expect.stringContaining(`\`npm run ops -- find ${email}\` shows those accounts`),
    });
    const unknown = await opsInProcess(["audit", "--action", "email.chnged"], { env });
    expect(unknown.out).toMatch(
      /^No row has the action email\.chnged\. Actions:\n[\s\S]*email\.changed/,
    );
    expect((await opsInProcess(["audit", "--help"], { env })).out).toContain("role.granted");
  }, 60_000);

  it("names what was not found", async () => {
    const env = { ...signedOut(), OPS_TOKEN: breakGlassToken };
    const [breaker, block] = await Promise.all([
      opsInProcess(["breaker", "open", "tolkit", ...inAnEmergency], { env }),
      opsInProcess(["block", "lift", randomUUID(), ...inAnEmergency], { env }),
    ]);
    expect(breaker).toMatchObject({
      status: 2,
      error: expect.stringMatching(/^There is no breaker tolkit\. Use toolkit\.\n\nusage: /),
    });
    expect(block).toMatchObject({
      status: 1,
      error: expect.stringMatching(
        /^There is no active block [\da-f-]{36}\. List them with `npm run ops -- block list`/,
      ),
    });
  }, 60_000);

  it("reports a server that does not respond, and leaves no temporary file", async () => {
    const temporary = mkdtempSync(join(config, "temporary-"));
    const given = { OPS_URL: "http://127.0.0.1:9", OPS_TOKEN: "ops_x", TMPDIR: temporary };
    const env = { ...signedOut(), ...given };
    const silent = await ops(["operator", "list"], { env });
    expect(silent).toMatchObject({
      status: 1,
      error: expect.stringMatching(
        /^http:\/\/127\.0\.0\.1:9 does not answer: connection refused\.\n$/,
      ),
    });
    expect((await ops(["operator", "list", "--url", "nowhere"], { env })).status).toBe(2);
    const selftest = await opsInProcess(["selftest"], { env });
    expect(selftest).toMatchObject({
      status: 1,
      out: expect.stringMatching(
        /code http:\S+ does not answer: connection refused\..*next npm run ops -- health$/ms,
      ),
    });
    expect(readdirSync(temporary)).toEqual([]);
  }, 60_000);
});

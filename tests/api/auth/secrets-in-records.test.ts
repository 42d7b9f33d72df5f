import { randomBytes, randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import confirmChange from "../../../api/auth/change-email/confirm.js";
import changeEmail from "../../../api/auth/change-email/index.js";
import undo from "../../../api/auth/change-email/undo.js";
import changePassword from "../../../api/auth/change-password.js";
import forgotPassword from "../../../api/auth/forgot-password.js";
import guest from "../../../api/auth/guest.js";
import login from "../../../api/auth/login.js";
import logout from "../../../api/auth/logout.js";
import reauthenticate from "../../../api/auth/reauthenticate.js";
import refresh from "../../../api/auth/refresh.js";
import register from "../../../api/auth/register.js";
import resetPassword from "../../../api/auth/reset-password.js";
import confirm from "../../../api/auth/totp/confirm.js";
import totp from "../../../api/auth/totp/index.js";
import verifyEmail from "../../../api/auth/verify-email/index.js";
import user from "../../../api/user/index.js";
import { type Answer, type CallOptions, call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useMailbox } from "../../support/mailbox.js";
import { authenticator, resetUsedStep } from "../../support/second-factor.js";
import { useSentry } from "../../support/sentry.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const mailbox = useMailbox();
const sentry = useSentry();
const lines = useLogLines();
useEnvironment();
beforeEach(() => setEnvironment({ LOG_LEVEL: "trace" }));

/** Secrets that must not be recorded, from callers or from us. */
const secrets = new Map<string, string>();
function secret<T extends string>(name: string, value: T): T {
  secrets.set(value, name);
  return value;
}

/** The fields of a response that are secret. */
const secretFields = ["accessToken", "refreshToken", "secret", "otpauthUrl", "recoveryCodes"];
function rememberSecrets({ body }: Answer): void {
  for (const field of secretFields) {
    for (const value of [body?.[field] ?? []].flat()) secret(field, value);
  }
}

let lastAddress = 0;
/** Sends a request with its own Idempotency-Key and remembers the secrets of the response. */
async function send(
  route: Parameters<typeof call>[0],
  status: number,
  { headers, ...options }: CallOptions = {},
): Promise<Answer> {
  const key = secret("an Idempotency-Key", randomBytes(16).toString("base64url"));
  const answer = await call(route, "POST", {
    ip: `198.51.100.${++lastAddress}`,
    ...options,
    headers: { ...headers, "idempotency-key": key },
  });
  expect([answer.status, answer.code]).toEqual([status, answer.code]);
  rememberSecrets(answer);
  return answer;
}

const isIn = (text: string, value: string) =>
  /^\d{6}$/.test(value)
    ? new RegExp(`(?<![\\d.])${value}(?!\\d)`).test(text)
    : text.toLowerCase().includes(value.toLowerCase());
const found = (text: string, values: Iterable<string>) =>
  [...values].filter((value) => isIn(text, value)).map((value) => secrets.get(value) ?? value);

async function tableText(table: string): Promise<string> {
  return JSON.stringify(await stores.sql(`select * from ${table}`));
}

describe("all requests that handle secrets", () => {
  it("write no secret to a log line, row or trace, and no address to a log line, trace, event or audit row", async () => {
    const email = `whole.journey-${randomUUID()}@example.com`;
    const moved = `moved-${randomUUID()}@example.com`;
    const [first, second, third] = ["first", "second", "third"].map((name) =>
      secret(`the ${name} password`, `${name} horse ${randomUUID()}`),
    ) as [string, string, string];
    const wrong = secret("a wrong password", `wrong horse ${randomUUID()}`);
    const device = { id: randomUUID() };

    const guestResponse = await send(guest, 201, { body: { device } });
    const registered = await send(register, 201, {
      token: guestResponse.body.accessToken,
      body: { email, password: first, name: "Ada", acceptedTerms: true, device },
    });
    const token = registered.body.accessToken;
    const verification = secret("a code", await mailbox.codeTo(email));
    await send(verifyEmail, 422, { token, body: { code: "AAAA-AAAA" } });
    await send(verifyEmail, 200, { token, body: { code: verification } });
    await send(login, 401, { body: { email, password: wrong, device } });
    const signedIn = await send(login, 200, { body: { email, password: first } });

    const rotation = { "rotation-id": secret("a Rotation-Id", randomUUID()) };
    const { refreshToken } = signedIn.body;
    const refreshed = await send(refresh, 200, { body: { refreshToken }, headers: rotation });
    await send(refresh, 200, { body: { refreshToken: refreshed.body.refreshToken } });
    await send(refresh, 401, { body: { refreshToken } });

    await send(changePassword, 204, {
      token,
      body: { currentPassword: first, newPassword: second },
    });
    const { body: enrolment } = await send(totp, 200, { token });
    const app = authenticator(enrolment.secret);
    const confirmed = await send(confirm, 200, {
      token,
      body: { code: secret("a code of the app", app.code()) },
    });
    await resetUsedStep(stores, registered.body);
    await send(login, 401, { body: { email, password: second } });
    await send(login, 401, { body: { email, password: second, otp: app.wrongCode() } });
    await send(login, 200, { body: { email, password: second, otp: app.code() } });
    const [recoveryCode] = confirmed.body.recoveryCodes;
    const fresh = await send(reauthenticate, 200, {
      token,
      body: { password: second, otp: recoveryCode },
    });

    const { accessToken } = fresh.body;
    await send(changeEmail, 202, { token: accessToken, body: { email: moved } });
    const change = secret("a code", await mailbox.codeTo(moved));
    await send(confirmChange, 200, { token: accessToken, body: { code: change } });
    const [notice] = await mailbox.to(email);
    const undoToken = secret("an undo token", /^ue1\..+$/m.exec(notice?.text ?? "")?.[0] ?? "");
    await send(undo, 204, { body: { token: undoToken } });
    await send(forgotPassword, 202, { body: { email } });
    const reset = secret("a code", await mailbox.codeTo(email));
    await send(resetPassword, 204, { body: { email, code: reset, password: third } });
    const last = await send(login, 200, { body: { email, password: third } });

    // Errors from a failing store are the most likely to leak secrets.
    await stores.faults.postgres.set({ kind: "reset" });
    const body = { email, password: third, name: "Ada", acceptedTerms: true, device };
    await send(register, 503, { body });
    await send(login, 503, { body: { email, password: third } });
    await send(forgotPassword, 503, { body: { email } });
    await send(resetPassword, 503, { body: { email, code: reset, password: third } });
    await send(refresh, 503, { body: { refreshToken: last.body.refreshToken } });
    await stores.faults.postgres.set(null);
    await stores.sql("alter table users rename column name to renamed");
    await send(register, 500, { body });
    await send(login, 500, { body: { email, password: third } });
    await stores.sql("alter table users rename column renamed to name");
    await send(login, 422, { body: { email, password: third, [third]: email } });
    await call(user, "GET", {
      url: `http://localhost:8080/api/user?email=${email}&token=${third}`,
    });
    await send(logout, 204, { token: last.body.accessToken });
    await stores.settled();

    // Also covers rows deleted since then, such as mails.
    const statements = JSON.stringify(stores.faults.postgres.calls.map(({ body }) => body));
    expect(statements).toContain(email);
    expect(found(statements, secrets.keys())).toEqual([]);
    const log = lines.written().join("\n");
    for (const event of ["http_request", "login_failed", "token_reuse", "request_failed"]) {
      expect(lines.read(event), event).not.toEqual([]);
    }
    expect(found(log, [...secrets.keys(), email, moved])).toEqual([]);

    // Sentry receives the user's ID, but no request headers or body.
    expect((await sentry.received("transaction")).length).toBeGreaterThan(20);
    expect((await sentry.received("event")).length).toBeGreaterThan(2);
    const traces = sentry.endpoint.envelopes.map(({ text }) => text).join("\n");
    expect(found(traces, [...secrets.keys(), email, moved, device.id, "198.51.100."])).toEqual([]);
    expect(traces).not.toMatch(
      /"(request|breadcrumbs|cookies|headers|ip_address|email|name":"Ada)"/,
    );

    for (const table of ["security_events", "audit_log", "idempotency_keys"]) {
      const text = await tableText(table);
      expect(text.length, table).toBeGreaterThan(2);
      expect(found(text, [...secrets.keys(), email, moved]), table).toEqual([]);
    }
    for (const table of [
      "queue_entries",
      "mail_codes",
      "sessions",
      "second_factors",
      "recovery_codes",
    ]) {
      expect(found(await tableText(table), secrets.keys()), table).toEqual([]);
    }
    expect(found(await tableText("users"), secrets.keys())).toEqual([]);
    expect(await stores.redis("KEYS", `*${email}*`)).toEqual([]);
  }, 60_000);
});

import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import login from "../../api/auth/login.js";
import register from "../../api/auth/register.js";
import user from "../../api/user/index.js";
import preferences from "../../api/user/preferences.js";
import { type Answer, call } from "../support/call.js";
import { useEnvironment } from "../support/environment.js";
import { aUser, password } from "../support/people.js";
import { useStores } from "../support/stores.js";

const stores = useStores();
// The rate limits of one account would stop most of the parallel requests.
useEnvironment({ RATE_LIMIT_TRUSTED_IPS: "0.0.0.0/0" });
const parallel = 20;

const atOnce = (send: (turn: number) => Promise<Answer>) =>
  Promise.all(Array.from({ length: parallel }, (_, turn) => send(turn)));
/** Like the app: repeat a request with the same key when password hashing has no capacity. */
async function retrying(send: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await send();
    if (answer.status !== 503) return answer;
  }
}
const notReplayed = (answers: Answer[]) =>
  answers.filter(({ headers }) => headers.get("idempotent-replayed") === null);
const count = async (rows: string, ...params: string[]) => {
  const [row] = await stores.sql(`select count(*) as n from ${rows}`, ...params);
  return Number(row?.n);
};

describe("20 parallel calls with one Idempotency-Key", () => {
  it("create one account, and all get the same reply", async () => {
    const email = `learner-${randomUUID()}@example.com`;
    const body = { email, password, name: "Ada", acceptedTerms: true };
    const headers = { "idempotency-key": randomUUID() };
    const answers = await atOnce(() => retrying(() => call(register, "POST", { body, headers })));
    expect(answers.map(({ status }) => status)).toEqual(Array(parallel).fill(201));
    expect(new Set(answers.map((answer) => answer.body.sessionId)).size).toBe(1);
    expect(new Set(answers.map((answer) => answer.body.refreshToken)).size).toBe(1);
    expect(new Set(answers.map((answer) => JSON.stringify(answer.body.user))).size).toBe(1);
    expect(notReplayed(answers)).toHaveLength(1);
    expect(await count("users where claimed_email = $1", email)).toBe(1);
    for (const { body: pair } of answers) {
      expect((await call(user, "GET", { token: pair.accessToken })).status).toBe(200);
    }
  });

  it("create one session", async () => {
    const { email, deviceId, user: account } = await aUser();
    const body = { email, password, device: { id: deviceId } };
    const headers = { "idempotency-key": randomUUID() };
    const answers = await atOnce((turn) =>
      retrying(() => call(login, "POST", { body, headers, ip: `192.0.2.${turn + 1}` })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(parallel).fill(200));
    expect(new Set(answers.map((answer) => answer.body.sessionId)).size).toBe(1);
    expect(notReplayed(answers)).toHaveLength(1);
    expect(await count("sessions where user_id = $1", account.id)).toBe(2);
  });

  it("change a profile once", async () => {
    const { accessToken: token, user: account } = await aUser();
    const body = { name: "Grace" };
    const headers = { "idempotency-key": randomUUID() };
    const answers = await atOnce(() => call(user, "PATCH", { token, body, headers }));
    expect(answers.map(({ status }) => status)).toEqual(Array(parallel).fill(200));
    expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
    expect(notReplayed(answers)).toHaveLength(1);
    expect(await count("audit_log where subject_id = $1", account.id)).toBe(1);
  });

  it("replace the preferences once, and all get the new version", async () => {
    const { accessToken: token, user: account } = await aUser();
    const { body } = await call(preferences, "GET", { token });
    const headers = { "idempotency-key": randomUUID(), "if-match": '"0"' };
    const answers = await atOnce(() => call(preferences, "PUT", { token, body, headers }));
    expect(answers.map(({ status }) => status)).toEqual(Array(parallel).fill(200));
    expect(new Set(answers.map((answer) => answer.headers.get("etag")))).toEqual(new Set(['"1"']));
    expect(notReplayed(answers)).toHaveLength(1);
    expect(await count("audit_log where subject_id = $1", account.id)).toBe(1);
  });

  it("return idempotency_mismatch to the half with another body", async () => {
    const { accessToken: token, user: account } = await aUser();
    const headers = { "idempotency-key": randomUUID() };
    const answers = await atOnce((turn) =>
      call(user, "PATCH", { token, headers, body: { name: turn % 2 ? "Grace" : "Hedy" } }),
    );
    const codes = answers.map(({ status, code }) => code ?? status);
    expect(codes.filter((code) => code === 200)).toHaveLength(parallel / 2);
    expect(codes.filter((code) => code === "idempotency_mismatch")).toHaveLength(parallel / 2);
    expect(await count("audit_log where subject_id = $1", account.id)).toBe(1);
  });
});

describe("20 parallel calls without a key", () => {
  it("replace a version of the preferences exactly once", async () => {
    const { accessToken: token, user: account } = await aUser();
    const { body } = await call(preferences, "GET", { token });
    for (const version of [0, 1]) {
      const headers = { "if-match": `"${version}"` };
      const answers = await atOnce(() => call(preferences, "PUT", { token, body, headers }));
      const codes = answers.map(({ status, code }) => code ?? status);
      expect(codes.filter((code) => code === 200)).toHaveLength(1);
      expect(codes.filter((code) => code === "precondition_failed")).toHaveLength(parallel - 1);
    }
    expect(await count("audit_log where subject_id = $1", account.id)).toBe(2);
  });

  it("change the time zone exactly once", async () => {
    const { accessToken: token, user: account } = await aUser({ timeZone: "Europe/Paris" });
    const zones = Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "Europe/Paris");
    const answers = await atOnce((turn) =>
      call(user, "PATCH", { token, body: { timeZone: zones[turn] } }),
    );
    const codes = answers.map(({ status, code }) => code ?? status);
    expect(codes.filter((code) => code === 200)).toHaveLength(1);
    expect(codes.filter((code) => code === "time_zone_changed_recently")).toHaveLength(
      parallel - 1,
    );
    expect(await count("audit_log where subject_id = $1", account.id)).toBe(1);
  });
});

import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import changeEmail from "../../../api/auth/change-email/index.js";
import register from "../../../api/auth/register.js";
import resend from "../../../api/auth/verify-email/resend.js";
import flags from "../../../api/flags.js";
import user from "../../../api/user/index.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { aBoundUser, anAddress, aUser, password } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const max = 3;
const ceiling = 10 * max;
useEnvironment({ RATE_LIMIT_MAX_REQUESTS: String(max) });
const stores = useStores();
const clock = useStillClock();
let ip: string;
beforeEach(() => {
  ip = anAddress();
});

const read = async (token: string) => (await call(user, "GET", { token, ip })).status;
async function tokens(count: number): Promise<string[]> {
  const people = [];
  for (let one = 0; one < count; one++) people.push(await aUser());
  return people.map(({ accessToken }) => accessToken);
}
const used = async (policy: string) => {
  const keys = (await stores.redis("KEYS", `rate:${policy}:address:${ip}:*`)) as string[];
  return keys[0] === undefined ? 0 : Number(await stores.redis("GET", keys[0]));
};

describe.each<[string, () => Promise<void>]>([
  ["with Redis", async () => {}],
  ["while Redis refuses", () => stores.faults.redis.set({ kind: "refuse" })],
])("an IP address, %s", (_, begin) => {
  it("is limited to ten times a session's limit for all its sessions", async () => {
    const [elsewhere = "", ...people] = await tokens(12);
    await begin();
    const statuses: number[] = [];
    for (const token of people) {
      for (let time = 0; time < max; time++) statuses.push(await read(token));
    }
    expect(statuses.slice(0, ceiling)).toEqual(Array(ceiling).fill(200));
    expect(statuses.slice(ceiling)).toEqual(Array(max).fill(429));
    expect((await call(flags, "GET", { ip })).status).toBe(429);
    expect((await call(user, "GET", { token: elsewhere, ip: anAddress() })).status).toBe(200);
    clock.advance(60);
    expect(await read(people[10] ?? "")).toBe(200);
  });

  it("does not count requests that a session's own limit refused", async () => {
    const [greedy = "", other = ""] = await tokens(2);
    await begin();
    for (let time = 0; time < 2 * ceiling; time++) await read(greedy);
    expect(await read(other)).toBe(200);
  });
});

describe("an IP address", () => {
  it("is counted by its /64 prefix if it is IPv6", async () => {
    const people = await tokens(11);
    const statuses: number[] = [];
    for (const [at, token] of people.entries()) {
      for (let time = 0; time < max; time++) {
        const answer = await call(user, "GET", { token, ip: `2001:db8:9:9::${at + 1}` });
        statuses.push(answer.status);
      }
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(ceiling);
  });

  it("is exempt if it is trusted", async () => {
    setEnvironment({ RATE_LIMIT_MAX_REQUESTS: String(max), RATE_LIMIT_TRUSTED_IPS: ip });
    const people = await tokens(11);
    for (const token of people) {
      for (let time = 0; time < max; time++) expect(await read(token)).toBe(200);
    }
  });
});

const registration = () => ({
  email: `pupil-${randomUUID()}@example.com`,
  password,
  name: "Ada",
  acceptedTerms: true,
});
/** Sets the counter to this many requests. */
async function count(policy: string, times: number): Promise<void> {
  const window = Math.floor(Date.now() / 3_600_000);
  await stores.redis("SET", `rate:${policy}:address:${ip}:${window}`, String(times));
}
const mailsTo = async (email: string) => {
  const rows = await stores.sql(
    `select send from queue_entries where payload -> 'to' ->> 'email' = $1 order by created_at`,
    email,
  );
  return rows.map(({ send }) => send);
};

describe("registrations from one IP address", () => {
  it("are limited to 60 an hour, then refused with 429 until the hour ends", async () => {
    await count("registrations", 59);
    expect((await call(register, "POST", { body: registration(), ip })).status).toBe(201);
    const refused = await call(register, "POST", { body: registration(), ip });
    expect(refused).toMatchObject({ status: 429, code: "rate_limited" });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(60);
    const elsewhere = await call(register, "POST", { body: registration(), ip: anAddress() });
    expect(elsewhere.status).toBe(201);
  });
});

describe("mails to unverified e-mail addresses", () => {
  it("are limited to 60 an hour per IP address; after that the response is the same and no mail is sent", async () => {
    const [sent, unsent] = [registration(), registration()];
    await count("unproven-mails", 59);
    const one = await call(register, "POST", { body: sent, ip });
    const other = await call(register, "POST", { body: unsent, ip });
    expect([one.status, other.status]).toEqual([201, 201]);
    expect(Object.keys(other.body)).toEqual(Object.keys(one.body));
    expect([...other.headers.keys()]).toEqual([...one.headers.keys()]);
    expect(other.headers.get("ratelimit")).not.toContain("unproven");
    expect(await mailsTo(sent.email)).toEqual(["t"]);
    expect(await mailsTo(unsent.email)).toEqual(["f"]);
  });

  it("include resent codes and codes for a new e-mail address", async () => {
    const { accessToken: token } = await aUser();
    const email = `new-${randomUUID()}@example.com`;
    await count("unproven-mails", 59);
    expect((await call(resend, "POST", { token, ip })).status).toBe(202);
    expect((await call(resend, "POST", { token, ip })).status).toBe(202);
    const other = await aBoundUser(stores);
    const change = { token: other.accessToken, ip, body: { email } };
    expect((await call(changeEmail, "POST", change)).status).toBe(202);
    expect(await mailsTo(email)).toEqual(["f"]);
    expect(await used("unproven-mails")).toBe(62);
  });

  it("do not count refused registrations", async () => {
    await count("registrations", 60);
    expect((await call(register, "POST", { body: registration(), ip })).status).toBe(429);
    expect(await used("unproven-mails")).toBe(0);
  });
});

import { createHmac } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import refresh from "../../../../api/auth/refresh.js";
import { issueRefreshToken } from "../../../../lib/auth/token/refresh-token.js";
import { deriveKey, keyId } from "../../../../lib/crypto/secret.js";
import { env } from "../../../../lib/env.js";
import { call } from "../../../support/call.js";
import { useStillClock } from "../../../support/clock.js";
import { setEnvironment, useEnvironment } from "../../../support/environment.js";
import { anAddress, aUser, type Person } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

const secret = "the-signing-secret-of-this-test-0123456789";
useEnvironment({ JWT_SECRET: secret });
const stores = useStores();
useStillClock();
let person: Person;
beforeEach(async () => {
  person = await aUser();
  await stores.resetCalls();
});

const own = () => person.refreshToken;
const part = (index: number) => own().split(".")[index] ?? "";
const signed = (text: string, key: string | Buffer) =>
  `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;

function ofAnotherSecret(): string {
  const another = "another-secret-of-the-tests-of-32-bytes";
  setEnvironment({ JWT_SECRET: another });
  const token = issueRefreshToken(env(), { sessionId: person.sessionId, counter: 0 });
  setEnvironment({ JWT_SECRET: secret });
  return token;
}

describe("a refresh token that is not ours", () => {
  it.each<[string, () => string]>([
    ["an empty string", () => ""],
    ["a word", () => "garbage"],
    ["an access token", () => person.accessToken],
    ["another secret's", ofAnotherSecret],
    ["another counter", () => own().replace(/\.0\./, ".1.")],
    ["a counter with a leading zero", () => own().replace(/\.0\./, ".00.")],
    ["a counter beyond integers", () => own().replace(/\.0\./, ".99999999999.")],
    ["a negative counter", () => own().replace(/\.0\./, ".-1.")],
    ["another session", () => own().replace(person.sessionId, "A".repeat(22))],
    ["a session that is SQL", () => own().replace(person.sessionId, "' or 1=1 --aaaaaaaaaaa")],
    ["another kid", () => own().replace(keyId(secret), "abcdefgh")],
    ["the kid of a prototype", () => own().replace(keyId(secret), "toString")],
    ["another version", () => own().replace("rt1.", "rt2.")],
    ["no mac", () => own().slice(0, own().lastIndexOf(".") + 1)],
    ["a shorter mac", () => own().slice(0, -1)],
    ["a longer mac", () => `${own()}A`],
    ["a mac of zeros", () => `${own().slice(0, own().lastIndexOf("."))}.${"A".repeat(43)}`],
    ["a fifth part", () => `${own()}.x`],
    ["white space around it", () => ` ${own()} `],
    ["a line after it", () => `${own()}\n`],
    ["under the secret itself", () => signed(`rt1.${keyId(secret)}.${part(2)}.0`, secret)],
    [
      "under the key of another purpose",
      () => signed(`rt1.${keyId(secret)}.${part(2)}.0`, deriveKey(secret, "kid")),
    ],
    ["beyond ASCII", () => own().replace("rt1", "ｒｔ1")],
    ["500 characters", () => "x".repeat(500)],
  ])(
    "returns token_invalid without any I/O, and then counts against the sender: %s",
    async (_, make) => {
      const ip = anAddress();
      const answer = await call(refresh, "POST", { body: { refreshToken: make() }, ip });
      expect(stores.calls()).toEqual({ redisTrips: 0, redisCommands: 0, postgresCalls: 0 });
      expect(answer).toMatchObject({ status: 401, code: "token_invalid" });
      await stores.settled();
      const keys = (await stores.redis("KEYS", `rate:default:ip:${ip}:*`)) as string[];
      expect(await stores.redis("GET", keys[0] ?? "")).toBe("1");
    },
  );

  it("does not revoke the session", async () => {
    const forged = own().replace(/\.0\./, ".5.");
    expect((await call(refresh, "POST", { body: { refreshToken: forged } })).status).toBe(401);
    expect((await call(refresh, "POST", { body: { refreshToken: own() } })).status).toBe(200);
  });

  it.each([
    ["a number", 7],
    ["a list", ["rt1"]],
    ["null", null],
    ["an object", { $ne: null }],
    ["513 characters", "x".repeat(513)],
  ])("returns validation_failed for %s", async (_, refreshToken) => {
    const answer = await call(refresh, "POST", { body: { refreshToken } });
    expect(answer).toMatchObject({ status: 422, code: "validation_failed" });
  });
});

import { createHmac, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import user from "../../../../api/user/index.js";
import { issueAccessToken, verifyAccessToken } from "../../../../lib/auth/token/access-token.js";
import { issueRefreshToken } from "../../../../lib/auth/token/refresh-token.js";
import { keyId } from "../../../../lib/crypto/secret.js";
import { type Env, env } from "../../../../lib/env.js";
import { call } from "../../../support/call.js";
import { setEnvironment, useEnvironment } from "../../../support/environment.js";
import {
  inBase64,
  otherNotations,
  withSpecialCharacter,
} from "../../../support/other-notations.js";
import { useStores } from "../../../support/stores.js";

const secret = "the-signing-secret-of-this-test-0123456789";
useEnvironment({ JWT_SECRET: secret });
const stores = useStores();
beforeEach(() => stores.resetCalls());

const audience = "linguamate-app/test";
const session = { userId: randomUUID(), sessionId: "c2Vzc2lvbi1vZi1hLXRlc3Q" };
type Json = Record<string, unknown>;

/** A string is encoded as it is. */
const encoded = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const seconds = () => Math.floor(Date.now() / 1000);

function header(changes: Json = {}): Json {
  return { alg: "HS256", kid: keyId(secret), typ: "at+jwt", ...changes };
}

function claims(changes: Json = {}): Json {
  const now = seconds();
  return {
    iss: "linguamate-api/test",
    aud: audience,
    sub: session.userId,
    sid: session.sessionId,
    iat: now,
    exp: now + 900,
    jti: randomUUID(),
    amr: ["pwd"],
    auth_time: now,
    ...changes,
  };
}

/** The claims with another text for one number, as `JSON.stringify` would not write it. */
function raw(claims: Json, name: string, number: string): string {
  return JSON.stringify({ ...claims, [name]: "here" }).replace('"here"', number);
}

/** A token with the given header and claims, and a valid signature unless another key is given. */
function token(head: unknown, body: unknown, { key = secret, hash = "sha256" } = {}): string {
  const signed = `${encoded(head)}.${encoded(body)}`;
  return `${signed}.${createHmac(hash, key).update(signed).digest("base64url")}`;
}

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwk = { kty: "oct", k: Buffer.from("attacker").toString("base64url"), kid: keyId(secret) };

function signedByRsa(): string {
  const signed = `${encoded(header({ alg: "RS256" }))}.${encoded(claims())}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
}

/** The error code of the response, which must need no call to a store. */
async function refusal(bearer: string): Promise<string | undefined> {
  const answer = await call(user, "GET", { token: bearer });
  const calls = stores.calls();
  expect(calls).toEqual({ redisTrips: 0, redisCommands: 0, postgresCalls: 0 });
  expect(answer.status).toBe(401);
  expect(answer.headers.get("www-authenticate")).toBe(
    'Bearer realm="linguamate", error="invalid_token"',
  );
  return answer.code;
}

describe("an access token", () => {
  const issue = (environment: Env, now = new Date()) =>
    issueAccessToken(
      environment,
      { ...session, authenticatedAt: new Date("2026-01-02T03:04:05Z"), authMethods: ["pwd"] },
      now,
    );
  const parts = (issued: string) =>
    issued
      .split(".")
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()));

  it("is a JWT with a key ID and exactly the claims of the wire contract", async () => {
    const now = new Date();
    const [head, body] = parts(await issue(env(), now));
    expect(head).toEqual({ alg: "HS256", kid: keyId(secret), typ: "at+jwt" });
    const iat = Math.floor(now.getTime() / 1000);
    expect(body).toEqual({
      iss: "linguamate-api/test",
      aud: "linguamate-app/test",
      sub: session.userId,
      sid: session.sessionId,
      iat,
      exp: iat + 900,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      amr: ["pwd"],
      auth_time: Date.parse("2026-01-02T03:04:05Z") / 1000,
    });
  });

  it("has email_verified: true for a verified address", async () => {
    const claims = { ...session, authenticatedAt: new Date(), authMethods: ["pwd"] };
    const verified = { ...claims, emailVerified: true } as const;
    const issued = await issueAccessToken(env(), verified, new Date());
    expect(parts(issued)[1]).toMatchObject({ email_verified: true });
    expect(await verifyAccessToken(env(), issued, new Date())).toMatchObject({
      emailVerified: true,
    });
  });

  it("has a unique jti", async () => {
    const [[, one], [, other]] = [parts(await issue(env())), parts(await issue(env()))];
    expect(one.jti).not.toBe(other.jti);
  });

  it("is valid for ACCESS_TOKEN_TTL_SECONDS, with 30 s of clock tolerance", async () => {
    setEnvironment({ JWT_SECRET: secret, ACCESS_TOKEN_TTL_SECONDS: "60" });
    const issuedAt = new Date("2026-01-02T03:04:05Z");
    const issued = await issue(env(), issuedAt);
    const verifiedAfter = (elapsed: number) =>
      verifyAccessToken(env(), issued, new Date(issuedAt.getTime() + elapsed * 1000));
    await expect(verifiedAfter(60 + 29)).resolves.toEqual({
      ...session,
      authenticatedAt: new Date("2026-01-02T03:04:05Z"),
      authMethods: ["pwd"],
    });
    await expect(verifiedAfter(60 + 31)).rejects.toMatchObject({ code: "token_expired" });
    await expect(verifiedAfter(-29)).resolves.toBeDefined();
    await expect(verifiedAfter(-31)).rejects.toMatchObject({ code: "token_invalid" });
  });

  it("is accepted when built by this test's helper", async () => {
    await expect(
      verifyAccessToken(env(), token(header(), claims()), new Date()),
    ).resolves.toMatchObject(session);
  });
});

describe("a token that is not ours", () => {
  const own = () => token(header(), claims());
  const [first, second, third] = [0, 1, 2].map((index) => () => own().split(".")[index] ?? "");

  it.each<[string, () => string]>([
    ["alg none", () => `${encoded(header({ alg: "none" }))}.${encoded(claims())}.`],
    ["alg none, signed", () => token(header({ alg: "none" }), claims())],
    ["alg nOnE", () => `${encoded(header({ alg: "nOnE" }))}.${encoded(claims())}.`],
    ["alg HS384", () => token(header({ alg: "HS384" }), claims(), { hash: "sha384" })],
    ["alg HS512", () => token(header({ alg: "HS512" }), claims(), { hash: "sha512" })],
    ["alg RS256", signedByRsa],
    [
      "alg HS256 under a public key",
      () =>
        token(header(), claims(), {
          key: publicKey.export({ type: "spki", format: "pem" }).toString(),
        }),
    ],
    ["no alg", () => token({ kid: keyId(secret), typ: "at+jwt" }, claims())],
    ["another secret", () => token(header(), claims(), { key: "another secret" })],
    [
      "another secret under its own kid",
      () => token(header({ kid: keyId("another secret") }), claims(), { key: "another secret" }),
    ],
    ["a foreign kid", () => token(header({ kid: "abcdefgh" }), claims())],
    ["no kid", () => token({ alg: "HS256", typ: "at+jwt" }, claims())],
    [
      "a kid that is a path",
      () => token(header({ kid: "../../../dev/null" }), claims(), { key: " " }),
    ],
    ["a kid that is not a string", () => token(header({ kid: [keyId(secret)] }), claims())],
    ["jwk", () => token(header({ jwk }), claims(), { key: "attacker" })],
    ["jku", () => token(header({ jku: "http://127.0.0.1:9/keys" }), claims(), { key: "attacker" })],
    ["x5u", () => token(header({ x5u: "http://127.0.0.1:9/cert" }), claims(), { key: "attacker" })],
    ["crit", () => token(header({ crit: ["exp"] }), claims())],
    ["crit of its own", () => token(header({ crit: ["x"], x: 1 }), claims())],
    ["an unencoded payload", () => token(header({ crit: ["b64"], b64: false }), claims())],
    ["typ JWT", () => token(header({ typ: "JWT" }), claims())],
    ["no typ", () => token({ alg: "HS256", kid: keyId(secret) }, claims())],
    ["another iss", () => token(header(), claims({ iss: "https://evil.example" }))],
    [
      "another environment's iss",
      () => token(header(), claims({ iss: "linguamate-api/production" })),
    ],
    ["b64 without crit", () => token(header({ b64: true }), claims())],
    ["b64 with crit", () => token(header({ crit: ["b64"], b64: true }), claims())],
    ["an unencoded payload without crit", () => token(header({ b64: false }), claims())],
    ["an unknown header parameter", () => token(header({ cty: "JWT" }), claims())],
    ["an aud list that contains ours", () => token(header(), claims({ aud: [audience] }))],
    ["an aud list with another", () => token(header(), claims({ aud: ["other", audience] }))],
    ["an iss list", () => token(header(), claims({ iss: ["linguamate-api/test"] }))],
    ["an exp of 1e308", () => token(header(), raw(claims(), "exp", "1e308"))],
    ["an exp beyond every number", () => token(header(), raw(claims(), "exp", "1e999"))],
    ["an exp that is not an integer", () => token(header(), claims({ exp: seconds() + 60.5 }))],
    ["a negative exp", () => token(header(), claims({ exp: -1 }))],
    ["a negative exp and iat", () => token(header(), claims({ iat: -900, exp: -1 }))],
    ["an exp before the iat", () => token(header(), claims({ exp: seconds() - 10 }))],
    ["an exp of null", () => token(header(), claims({ exp: null }))],
    ["an iat that is not an integer", () => token(header(), claims({ iat: seconds() - 0.5 }))],
    ["a negative iat", () => token(header(), claims({ iat: -1 }))],
    ["an auth_time that is not an integer", () => token(header(), claims({ auth_time: 1.5 }))],
    ["a negative auth_time", () => token(header(), claims({ auth_time: -1 }))],
    ["another aud", () => token(header(), claims({ aud: "linguamate-ops/test" }))],
    ["an exp that is not a number", () => token(header(), claims({ exp: "tomorrow" }))],
    ["an iat that is not a number", () => token(header(), claims({ iat: "now" }))],
    ["an iat in the future", () => token(header(), claims({ iat: seconds() + 60 }))],
    ["nbf in the future", () => token(header(), claims({ nbf: seconds() + 60 }))],
    ["a sub that is not a string", () => token(header(), claims({ sub: { $ne: null } }))],
    ["an empty sub", () => token(header(), claims({ sub: "" }))],
    ["a sid that is not a string", () => token(header(), claims({ sid: 7 }))],
    ["an empty sid", () => token(header(), claims({ sid: "" }))],
    ["a sid that is another key", () => token(header(), claims({ sid: "x y\r\nDEL gate" }))],
    ["an auth_time that is not a number", () => token(header(), claims({ auth_time: "now" }))],
    ["an auth_time out of range", () => token(header(), claims({ auth_time: 1e300 }))],
    ["a payload that is a list", () => token(header(), [claims()])],
    ["a payload that is null", () => token(header(), null)],
    [
      "a changed payload",
      () => `${first?.()}.${encoded(claims({ sub: randomUUID() }))}.${third?.()}`,
    ],
    ["no signature", () => `${first?.()}.${second?.()}.`],
    ["two parts", () => `${first?.()}.${second?.()}`],
    ["four parts", () => `${own()}.x`],
    ["five parts", () => `${own()}.x.y`],
    ["a header that is not JSON", () => `e30x.${second?.()}.${third?.()}`],
    ["invalid base64url", () => `~~~.${second?.()}.${third?.()}`],
    [
      "a refresh token",
      () => issueRefreshToken(env(), { sessionId: session.sessionId, counter: 0 }),
    ],
    ["5,000 characters", () => token(header(), claims({ more: "x".repeat(5000) }))],
    ["dots", () => ".."],
  ])("returns token_invalid without any I/O: %s", async (_, make) => {
    expect(await refusal(make())).toBe("token_invalid");
  });

  it.each(["iss", "aud", "sub", "sid", "iat", "exp", "jti", "auth_time"])(
    "returns token_invalid without the claim %s",
    async (name) => {
      const { [name]: _, ...rest } = claims();
      expect(await refusal(token(header(), rest))).toBe("token_invalid");
    },
  );

  it("returns token_expired when it is otherwise valid", async () => {
    const now = seconds();
    const old = { iat: now - 1000, exp: now - 100 };
    expect(await refusal(token(header(), claims(old)))).toBe("token_expired");
  });

  it.each([
    ["an exp beyond the lifetime", () => ({ exp: seconds() + 902 })],
    ["an iat of 0", () => ({ iat: 0 })],
    ["expired, with an exp beyond it", () => ({ iat: seconds() - 2000, exp: seconds() - 100 })],
  ])(
    "returns token_expired when it lives too long, so that the app refreshes: %s",
    async (_, own) => {
      expect(await refusal(token(header(), claims(own())))).toBe("token_expired");
    },
  );

  it("returns token_invalid when it has expired and is also invalid", async () => {
    const old = claims({ iat: seconds() - 1000, exp: seconds() - 100 });
    expect(await refusal(token(header(), old, { key: "another" }))).toBe("token_invalid");
  });

  it("returns token_invalid when it was issued for another environment", async () => {
    setEnvironment({ JWT_SECRET: secret, VERCEL_ENV: "preview" });
    const preview = await issueAccessToken(
      env(),
      { ...session, authenticatedAt: new Date(), authMethods: [] },
      new Date(),
    );
    setEnvironment({ JWT_SECRET: secret, VERCEL_ENV: "production" });
    expect(await refusal(preview)).toBe("token_invalid");
  });
});

describe("another notation of a valid token", () => {
  /** A token with the change in one part, whose signature covers what is sent. */
  function changed(index: number, change: (part: string) => string): string {
    const texts = [header(), claims()].map((part) => JSON.stringify(part));
    // JSON white space, until the last character has unused bits.
    while (index < 2 && Buffer.byteLength(texts[index] ?? "") % 3 === 0) texts[index] += " ";
    const at = (part: number, text: string) => (part === index ? change(text) : text);
    const signed = texts.map((text, part) => at(part, encoded(text))).join(".");
    const mac = createHmac("sha256", secret).update(signed).digest("base64url");
    return `${signed}.${at(2, mac)}`;
  }
  const invalid = (other: string) =>
    expect(verifyAccessToken(env(), other, new Date())).rejects.toMatchObject({
      code: "token_invalid",
    });
  it.each([0, 1, 2])("is accepted without a change of part %i", async (index) => {
    const good = changed(index, (part) => part);
    expect(await verifyAccessToken(env(), good, new Date())).toMatchObject(session);
  });

  it.each(
    [0, 1, 2].flatMap((index) =>
      otherNotations.map(([name, change]) => [name, index, change] as const),
    ),
  )("is invalid: %s in part %i", (_, index, change) => invalid(changed(index, change)));

  it("is invalid: the alphabet of base64 in the payload", async () => {
    const body = encoded(claims({ name: "???>>>" }));
    expect(body).toMatch(/[-_]/);
    const signed = `${encoded(header())}.${inBase64(body)}`;
    await invalid(`${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`);
  });

  it("is invalid: the alphabet of base64 in the signature", async () => {
    const good = withSpecialCharacter(() => token(header(), claims()));
    const at = good.lastIndexOf(".");
    await invalid(good.slice(0, at) + inBase64(good.slice(at)));
  });

  it("is invalid after the canonical form was accepted", async () => {
    const good = token(header(), claims());
    await verifyAccessToken(env(), good, new Date());
    expect(await refusal(`${good}=`)).toBe("token_invalid");
  });
});

describe("the Authorization header", () => {
  it.each([
    ["Basic YWRhOnB3"],
    ["Bearer"],
    ["Bearer "],
    ["Token abc"],
    ["bearer\tabc"],
    ["Bearer a b"],
    ["Bearer abc, Bearer def"],
    ["Bearer tökén"],
    ["Bearer \u00a0abc"],
    ["\u00a0Bearer abc"],
    [`Bearer ${"x".repeat(200_000)}`],
    [`Bearer ${"a.".repeat(100_000)}`],
    [`${"Bearer ".repeat(5000)}`],
    [`Bearer ${" ".repeat(100_000)}x`],
    ["Bearer null"],
    ["Bearer undefined"],
    ["Bearer [object Object]"],
    ["Bearer %00"],
  ])("returns token_invalid for %j", async (authorization) => {
    const answer = await call(user, "GET", { headers: { authorization } });
    expect(answer).toMatchObject({ status: 401, code: "token_invalid" });
  });

  it("is refused when it is sent more than once, even with a valid token", async () => {
    const headers = new Headers();
    for (const sent of [token(header(), claims()), "abc"])
      headers.append("authorization", `Bearer ${sent}`);
    const answer = await call(user, "GET", { headers: Object.fromEntries(headers) });
    expect(answer).toMatchObject({ status: 401, code: "token_invalid" });
  });

  it("accepts the scheme in any letter case", async () => {
    const authorization = `bEARER ${token(header(), claims())}`;
    const answer = await call(user, "GET", { headers: { authorization } });
    expect(answer.code).toBe("session_revoked");
  });

  it("is the only place where a token is accepted", async () => {
    const good = token(header(), claims());
    const answer = await call(user, "GET", {
      url: `http://localhost/api/user?access_token=${good}`,
      headers: { cookie: `token=${good}`, "x-access-token": good },
    });
    expect(answer).toMatchObject({ status: 401, code: "token_missing" });
    expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="linguamate"');
  });
});

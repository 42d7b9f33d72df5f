import { describe, expect, it } from "vitest";
import logout from "../../../api/auth/logout.js";
import inspections from "../../../api/ops/jwt/inspections.js";
import rotation from "../../../api/ops/jwt/rotation.js";
import { issueAccessToken } from "../../../lib/auth/token/access-token.js";
import { keyId } from "../../../lib/crypto/secret.js";
import { env } from "../../../lib/env.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { anOperator } from "../../support/operators.js";
import { aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const logs = useLogLines();
const clock = useStillClock();
useEnvironment({ LOG_LEVEL: "debug" });

const secret = "a-secret-of-the-tests-of-32-bytes-or-more";
const next = "another-secret-of-the-tests-of-32-bytes";

async function inspect(token: string) {
  const operator = await anOperator(stores);
  return call(inspections, "POST", { token: operator.accessToken, body: { token } });
}

describe("POST /api/ops/jwt/inspections", () => {
  it("returns the user, the signing key and the live session of a valid token", async () => {
    const { accessToken, user, sessionId } = await aUser();
    const { body } = await inspect(accessToken);
    expect(body).toMatchObject({
      kind: "access",
      verdict: "good",
      keyId: keyId(secret),
      key: "signs",
      userId: user.id,
      sessionId,
      authMethods: ["pwd"],
      aheadSeconds: 0,
      session: { state: "live", key: "present" },
      findings: ["The token is valid."],
    });
  });

  it("neither returns nor logs the token's signature", async () => {
    const { accessToken, refreshToken } = await aUser();
    for (const token of [accessToken, refreshToken]) {
      const { body } = await inspect(token);
      const mac = token.slice(token.lastIndexOf(".") + 1);
      expect(JSON.stringify(body)).not.toContain(mac);
      expect(logs.written().join("")).not.toContain(mac);
    }
  });

  it("distinguishes expired, altered and foreign tokens", async () => {
    const { accessToken, user, sessionId } = await aUser();
    const altered = `${accessToken.slice(0, accessToken.lastIndexOf("."))}.${"A".repeat(43)}`;
    expect((await inspect(altered)).body).toMatchObject({
      verdict: "refused",
      key: "signs",
      findings: expect.arrayContaining([expect.stringMatching(/altered/)]),
    });
    const claims = {
      userId: user.id,
      sessionId,
      authenticatedAt: new Date(),
      authMethods: ["pwd"],
    };
    const expired = issueAccessToken(env(), claims, new Date(Date.now() - 3_600_000));
    expect((await inspect(expired)).body).toMatchObject({ verdict: "expired", key: "signs" });
    setEnvironment({ JWT_SECRET: next });
    expect((await inspect(accessToken)).body).toMatchObject({
      verdict: "refused",
      key: "unknown",
      findings: [expect.stringMatching(/No secret of this deployment has this key ID/)],
    });
  });

  it("reports a token issued in the future", async () => {
    const { user, sessionId } = await aUser();
    const claims = {
      userId: user.id,
      sessionId,
      authenticatedAt: new Date(),
      authMethods: ["pwd"],
    };
    const early = issueAccessToken(env(), claims, new Date(Date.now() + 120_000));
    expect((await inspect(early)).body).toMatchObject({
      verdict: "refused",
      aheadSeconds: 120,
      findings: expect.arrayContaining([expect.stringMatching(/issued in the future/)]),
    });
  });

  it("reports that the session of an access or refresh token has ended", async () => {
    const { accessToken, refreshToken, sessionId } = await aUser();
    await call(logout, "POST", { token: accessToken });
    for (const token of [accessToken, refreshToken]) {
      expect((await inspect(token)).body).toMatchObject({
        sessionId,
        session: { state: "revoked", revokedReason: "logged_out" },
        findings: ["Its session is revoked."],
      });
    }
  });

  it("returns 200 for any input", async () => {
    for (const token of ["x", "a.b.c", "rt1.a.b", "eyJhbGciOiJub25lIn0.e30.", "🙂"]) {
      expect(await inspect(token)).toMatchObject({ status: 200, body: { verdict: "refused" } });
    }
  });
});

describe("GET /api/ops/jwt/rotation", () => {
  it("lists the keys in use and what depends on each", async () => {
    const operator = await anOperator(stores);
    setEnvironment({ JWT_SECRET: next, JWT_SECRET_PREVIOUS: secret });
    clock.advance(1);
    const { body } = await call(rotation, "GET", { token: operator.accessToken });
    expect(body).toMatchObject({
      jwt: { signs: keyId(next), verifies: [keyId(secret)] },
      data: { current: keyId(next), recognised: [keyId(secret)] },
    });
    const uses = body.data.uses.map(({ what, keyId: id }: Record<string, string>) => [what, id]);
    expect(uses).toContainEqual(["recovery code", keyId(secret)]);
    expect(uses).toContainEqual(["second factor", keyId(secret)]);
    expect(JSON.stringify(body)).not.toContain(secret);
  });
});

import { afterEach, describe, expect, it, vi } from "vitest";
import { issueAccessToken, verifyAccessToken } from "../../../../lib/auth/token/access-token.js";
import { VerifiedTokens } from "../../../../lib/auth/token/verified-tokens.js";
import { env } from "../../../../lib/env.js";
import { setEnvironment, useEnvironment } from "../../../support/environment.js";

useEnvironment();
afterEach(() => void vi.restoreAllMocks());

const now = new Date();
const later = (seconds: number) => new Date(now.getTime() + seconds * 1000);
const issue = (sessionId: string) =>
  issueAccessToken(
    env(),
    { userId: "a-user", sessionId, authenticatedAt: now, authMethods: ["pwd"] },
    now,
  );

describe("a token that was verified before", () => {
  it("is not verified again until it expires", async () => {
    const token = await issue("a-session");
    const verify = vi.spyOn(crypto.subtle, "verify");
    const first = await verifyAccessToken(env(), token, now);
    expect(await verifyAccessToken(env(), token, later(899))).toEqual(first);
    expect(verify).toHaveBeenCalledTimes(1);
    await expect(verifyAccessToken(env(), token, later(931))).rejects.toThrow("token_expired");
  });

  it("does not affect a token that differs in its last character", async () => {
    const token = await issue("a-session");
    await verifyAccessToken(env(), token, now);
    const other = token.slice(0, -2) + (token.endsWith("AA") ? "BB" : "AA");
    await expect(verifyAccessToken(env(), other, now)).rejects.toThrow("token_invalid");
  });

  it("is refused after the secret has changed", async () => {
    const token = await issue("a-session");
    await verifyAccessToken(env(), token, now);
    setEnvironment({ JWT_SECRET: "another-secret-of-the-tests-of-32-bytes" });
    await expect(verifyAccessToken(env(), token, now)).rejects.toThrow("token_invalid");
  });

  it("is evicted from the cache when it is full, the oldest first", () => {
    const during = { fromMs: now.getTime(), untilMs: later(900).getTime() };
    const tokens = new VerifiedTokens<string>(2);
    for (const name of ["first", "second", "third"]) tokens.remember(name, name, during);
    const found = ["first", "second", "third"].map((name) => tokens.find(name, now));
    expect(found).toEqual([undefined, "second", "third"]);
  });
});

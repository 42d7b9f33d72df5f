import { randomBytes, randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import refresh from "../../../../api/auth/refresh.js";
import operatorTokens from "../../../../api/ops/operator-tokens/index.js";
import top from "../../../../api/ops/rate-limits/top.js";
import { issueRefreshToken, verifyRefreshToken } from "../../../../lib/auth/token/refresh-token.js";
import { env } from "../../../../lib/env.js";
import { undoToken, verifyUndoToken } from "../../../../lib/mail/undo-token.js";
import { call } from "../../../support/call.js";
import { useEnvironment } from "../../../support/environment.js";
import { anOperator, operate } from "../../../support/operators.js";
import {
  inBase64,
  otherNotations,
  withSpecialCharacter,
} from "../../../support/other-notations.js";
import { anAddress, aUser } from "../../../support/people.js";
import { useStores } from "../../../support/stores.js";

useEnvironment();
const stores = useStores();

const notations: [string, (token: string) => string][] = [
  // The last part of each token is base64url.
  ...otherNotations,
  ["the alphabet of base64", (token) => token.slice(0, -42) + inBase64(token.slice(-42))],
  ["a space before it", (token) => ` ${token}`],
  ["a sign before its number", (token) => token.replace(/\.0\./, ".+0.")],
  ["a zero before its number", (token) => token.replace(/\.0\./, ".00.")],
  ["a fraction", (token) => token.replace(/\.0\./, ".0.0.")],
  ["an exponent", (token) => token.replace(/\.0\./, ".0e0.")],
  ["upper case", (token) => token.toUpperCase()],
  ["a dot at its end", (token) => `${token}.`],
  ["an empty part", (token) => token.replace(/[._]/, "$&$&")],
];
const othersOf = (token: string) =>
  notations
    .map(([name, change]) => [name, change(token)] as const)
    .filter(([, other]) => other !== token);

describe("a token has one notation", () => {
  it("of a refresh token", async () => {
    const sessionId = () => randomBytes(16).toString("base64url");
    const token = withSpecialCharacter(() =>
      issueRefreshToken(env(), { sessionId: sessionId(), counter: 0 }),
    );
    expect(verifyRefreshToken(env(), token).counter).toBe(0);
    for (const [name, other] of othersOf(token)) {
      expect(() => verifyRefreshToken(env(), other), name).toThrow("token_invalid");
    }
  });

  it("of a refresh token, at the route", async () => {
    const { refreshToken } = await aUser();
    for (const [name, other] of othersOf(refreshToken)) {
      const answer = await call(refresh, "POST", {
        body: { refreshToken: other },
        ip: anAddress(),
      });
      expect([name, answer.code]).toEqual([
        name,
        name === "a NUL" ? "validation_failed" : "token_invalid",
      ]);
    }
    expect((await call(refresh, "POST", { body: { refreshToken } })).status).toBe(200);
  });

  it("of the token that undoes a change of the e-mail address, but for what a mail program adds", () => {
    const token = withSpecialCharacter(() => undoToken(env(), randomUUID()));
    expect(verifyUndoToken(env(), token)).not.toBeNull();
    for (const [name, other] of othersOf(token)) {
      const isPasted = /^(a space|a line break|a NUL|a dot at)/.test(name);
      expect(verifyUndoToken(env(), other) !== null, name).toBe(isPasted);
    }
  });

  it("of an operator token", async () => {
    const admin = await anOperator(stores, "admin");
    const made = await operate(operatorTokens, "POST", admin.token, {
      name: `ci-${randomUUID()}`,
      scopes: ["*:read"],
      ttlSeconds: 3600,
    });
    const { token } = made.body.detail;
    expect((await call(top, "GET", { token })).status).toBe(200);
    // White space around it and bytes beyond Latin-1 cannot be sent in a header.
    const sent = othersOf(token).filter(([, other]) => /^[!-~]+( +[!-~]+)*$/.test(other));
    for (const [name, other] of sent) {
      const answer = await call(top, "GET", { token: other, ip: anAddress() });
      expect([name, answer.code]).toEqual([name, "token_invalid"]);
    }
  });
});

import { createHmac, randomUUID } from "node:crypto";
import { decodeProtectedHeader } from "jose";
import { issueAccessToken, verifyAccessToken } from "../../auth/token/access-token.js";
import type { Context } from "../../context.js";
import type { Env } from "../../env.js";
import { type CheckResult, finding } from "./finding.js";

const otherAlgorithms = { none: undefined, HS384: "sha384", HS512: "sha512" } as const;

/** Sign one set of claims with our own key under each algorithm: only a token with HS256 may be accepted. The tokens never leave this process. */
export async function tokenAlgorithmFinding({ env, now }: Context): Promise<CheckResult> {
  const claims = {
    userId: randomUUID(),
    sessionId: "verification",
    authenticatedAt: now,
    authMethods: ["pwd"],
  };
  const token = issueAccessToken(env, claims, now);
  const { alg } = decodeProtectedHeader(token);
  const isAccepted = (one: string) =>
    verifyAccessToken(env, one, now).then(
      () => true,
      () => false,
    );
  const wrong = [];
  for (const [name, hash] of Object.entries(otherAlgorithms)) {
    if (await isAccepted(signedAs(env, token, name, hash))) wrong.push(name);
  }
  const isGood = alg === "HS256" && wrong.length === 0 && (await isAccepted(token));
  const refused = `signs with ${alg}; signed with the server's own key, ${Object.keys(otherAlgorithms).join(", ")} are refused`;
  const detail = isGood ? refused : `signs with ${alg}, also accepts ${wrong.join(", ") || "none"}`;
  const previous = env.jwt.previousSecrets.length;
  return finding(
    "JWT algorithm",
    isGood,
    `${detail}; a token lives ${env.jwt.accessTtlSeconds} s; keys: 1 signs, ${previous} older accepted`,
  );
}

function signedAs({ jwt }: Env, token: string, alg: string, hash: string | undefined): string {
  const header = Buffer.from(JSON.stringify({ ...decodeProtectedHeader(token), alg }));
  const signed = `${header.toString("base64url")}.${token.split(".")[1]}`;
  const signature = hash && createHmac(hash, jwt.secret).update(signed).digest("base64url");
  return `${signed}.${signature ?? ""}`;
}

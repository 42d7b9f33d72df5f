import { randomBytes, randomUUID } from "node:crypto";
import type { ControlFinding } from "../../operations/state/verification-report.js";
import { exchange } from "../http.js";

const path = "/api/user";
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
const decode = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());

/** Send tokens of other algorithms; each must be answered with 401 `token_invalid`. With a session, they have the claims of its token. */
export async function tokenFindings(url: URL, own: string | undefined): Promise<ControlFinding[]> {
  const [header = "", claims = ""] = own?.split(".") ?? [];
  const now = Math.floor(Date.now() / 1000);
  const made = { sub: randomUUID(), sid: "verification", iat: now, exp: now + 60, jti: now };
  const payload = own ? claims : encode(made);
  const protectedHeader = own ? decode(header) : { typ: "at+jwt" };
  const tokens = {
    none: "",
    HS512: randomBytes(64).toString("base64url"),
    RS256: randomBytes(256).toString("base64url"),
  };
  const of = own ? "with the claims of this session" : "made up, without a session";
  const findings = Object.entries(tokens).map(async ([alg, signature]) => {
    const token = `${encode({ ...protectedHeader, alg })}.${payload}.${signature}`;
    const found = await answerTo(url, token);
    return { control: "tokens" as const, name: `JWT with ${alg}`, ...judge(found, of) };
  });
  return Promise.all(findings);
}

async function answerTo(url: URL, token: string): Promise<{ status?: number; text: string }> {
  try {
    const headers = { authorization: `Bearer ${token}` };
    const { status, code } = await exchange(url, { method: "GET", path, headers });
    return { status, text: `${status} ${code ?? ""}`.trim() };
  } catch (error) {
    return { text: (error as Error).message };
  }
}

/** `session_revoked` would mean that the token was believed. */
function judge({ status, text }: { status?: number; text: string }, of: string) {
  if (text === "401 token_invalid") {
    return { status: "pass" as const, detail: `refused: ${text} (${of})` };
  }
  const isUnknown = status === undefined || status === 429 || status >= 500;
  const detail = isUnknown ? `not shown: ${text}` : `answered ${text} (${of})`;
  return { status: isUnknown ? ("warn" as const) : ("fail" as const), detail };
}

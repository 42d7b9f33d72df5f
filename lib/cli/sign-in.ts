import { randomUUID } from "node:crypto";
import { decodeJwt } from "jose";
import * as z from "zod";
import { FailedError, RefusedError } from "./failures.js";
import { exchange, type HttpAnswer, problemText } from "./http.js";
import type { SessionFile, StoredSession } from "./session-file.js";
import type { Terminal } from "./terminal.js";

/** What a command shows of who runs it. */
export interface Credentials {
  /** The bearer, renewed where it is about to expire; undefined when there is none. */
  token(): Promise<string | undefined>;
  /** The server wants the second factor to be shown again: true when it was. */
  confirm(): Promise<boolean>;
}

/** The session of a person on one deployment. */
export interface SignIn extends Credentials {
  logIn(): Promise<void>;
  /** False when nobody was signed in. */
  logOut(): Promise<boolean>;
  /** Show the second factor again, whoever asks. */
  showFactor(): Promise<void>;
}

const renewBeforeMs = 30_000;

/** No kill switch reaches these: who switched a group off can switch it on again. */
const signIns = "/api/ops/sign-ins";
const refreshes = "/api/ops/sign-ins/refreshes";
const confirmations = "/api/ops/sign-ins/confirmations";
const signOuts = "/api/ops/sign-outs";

const Pair = z.object({
  accessToken: z.string(),
  refreshToken: z.string(),
  expiresIn: z.number(),
});

/** A token from the environment goes as it is. */
export function fixedCredentials(token: string): Credentials {
  return { token: async () => token, confirm: async () => false };
}

/** The session that is kept in `file`, begun and renewed over HTTP. */
export function openSignIn(url: URL, file: SessionFile, terminal: Terminal): SignIn {
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    exchange(url, { method: "POST", path, body, headers });

  async function token(): Promise<string | undefined> {
    const stored = file.read();
    if (!stored) return undefined;
    return stored.expiresAt - renewBeforeMs > Date.now() ? stored.accessToken : renew(stored);
  }

  async function renew(stored: StoredSession): Promise<string | undefined> {
    const rotationId = stored.rotationId ?? randomUUID();
    // Before the call: when its reply is lost, the repetition must name the same rotation.
    file.write({ ...stored, rotationId });
    const headers = { "rotation-id": rotationId, "device-id": stored.deviceId };
    const answer = await post(refreshes, { refreshToken: stored.refreshToken }, headers);
    if (answer.status === 401) {
      file.remove();
      return undefined;
    }
    return keep(stored.deviceId, pairOf(answer)).accessToken;
  }

  /** An old token of the account passes the delay that strangers' guesses have caused. */
  async function postCredentials(credentials: object, known: StoredSession | null) {
    if (!known) return post(signIns, credentials);
    const authorization = `Bearer ${known.accessToken}`;
    const answer = await post(signIns, credentials, { authorization });
    // Signed by a secret that has been replaced since.
    return answer.code === "token_invalid" ? post(signIns, credentials) : answer;
  }

  function keep(deviceId: string, pair: z.infer<typeof Pair>): StoredSession {
    const { accessToken, refreshToken, expiresIn } = pair;
    const expiresAt = Date.now() + expiresIn * 1000;
    const session = { deviceId, accessToken, refreshToken, expiresAt };
    file.write(session);
    return session;
  }

  async function end(accessToken: string): Promise<void> {
    await post(signOuts, undefined, { authorization: `Bearer ${accessToken}` });
  }

  async function showFactor(): Promise<void> {
    const accessToken = await token();
    const stored = file.read();
    if (!accessToken || !stored)
      throw new RefusedError("Nobody is signed in: npm run ops -- login");
    const otp = await terminal.ask("Code of the second factor", { hidden: true });
    const authorization = `Bearer ${accessToken}`;
    const answer = await post(confirmations, { otp }, { authorization });
    requireGood(answer);
    const fresh = z.object({ accessToken: z.string(), expiresIn: z.number() }).parse(answer.body);
    const expiresAt = Date.now() + fresh.expiresIn * 1000;
    file.write({ ...stored, accessToken: fresh.accessToken, expiresAt });
  }

  return {
    token,
    showFactor,
    async confirm() {
      if (!terminal.isInteractive) return false;
      await showFactor();
      return true;
    },
    async logIn() {
      const email = await terminal.ask("E-mail");
      const password = await terminal.ask("Password", { hidden: true });
      const known = file.read();
      const deviceId = known?.deviceId ?? randomUUID();
      const credentials = { email, password, device: { id: deviceId, name: "ops command line" } };
      let answer = await postCredentials(credentials, known);
      if (answer.code === "otp_required") {
        const otp = await terminal.ask("Code of the second factor", { hidden: true });
        answer = await postCredentials({ ...credentials, otp }, known);
      }
      if (answer.code === "invalid_credentials") throw new RefusedError(notLetIn(answer));
      const pair = pairOf(answer);
      const { amr } = decodeJwt(pair.accessToken);
      if (!Array.isArray(amr) || !amr.includes("otp")) {
        await end(pair.accessToken);
        throw new RefusedError(
          "Operators need a second factor. Set it up in the app, then sign in here.",
        );
      }
      keep(deviceId, pair);
    },
    async logOut() {
      const stored = file.read();
      if (!stored) return false;
      const accessToken = await token();
      if (accessToken) await end(accessToken);
      file.remove();
      return true;
    },
  };
}

/** The server does not say which of the two it is. */
function notLetIn(answer: HttpAnswer): string {
  return `${problemText(answer)}\nOr the account does not operate: an admin grants it (operator grant).`;
}

function pairOf(answer: HttpAnswer): z.infer<typeof Pair> {
  requireGood(answer);
  return Pair.parse(answer.body);
}

function requireGood(answer: HttpAnswer): void {
  if (answer.status < 300) return;
  const isRefused = answer.status === 401 || answer.status === 403;
  throw isRefused ? new RefusedError(problemText(answer)) : new FailedError(problemText(answer));
}

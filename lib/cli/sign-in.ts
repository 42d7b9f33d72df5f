import { randomUUID } from "node:crypto";
import process from "node:process";
import * as z from "zod";
import { type EnrolOptions, enrol, hasFactor } from "./enrol.js";
import { RefusedError } from "./failures.js";
import { exchange, type HttpAnswer, problemText, requireSuccess } from "./http.js";
import { requireEncryption } from "./may-send.js";
import { readReply, replyOf } from "./read-reply.js";
import type { SessionFile, StoredSession } from "./session-file.js";
import { askCode, askEmail, type Terminal } from "./terminal.js";
import { Pair } from "./token-pair.js";

export interface Credentials {
  /** The bearer token, refreshed when it is about to expire; undefined without a session, also when the server has ended it. */
  token(): Promise<string | undefined>;
  /** Ask for the second factor again; false without a terminal. */
  confirm(): Promise<boolean>;
  /** Called for each request that may have sent the token; `isCertain` if the server has received it. */
  sent?(isCertain: boolean): void;
  /** What to tell the operator after a refusal, by its code. */
  advice?: Record<string, string>;
}

export interface SignIn extends Credentials {
  hasSession(): boolean;
  /** Ask for e-mail, password and second factor, and store the session. Throws `RefusedError` without a second factor. */
  logIn(): Promise<{ recoveryCode: RecoveryCodeUse | null }>;
  /** Set up an operator's second factor, for the first admin also the account. Returns new recovery codes. */
  enrol(options: EnrolOptions): Promise<string[] | null>;
  /** Revoke the session on the server and delete the file. False when there was no session. */
  logOut(): Promise<boolean>;
  /** `confirm`, but also without a terminal. */
  reauthenticate(): Promise<void>;
}

/** At a sign-in; `left` is null when the server did not say. */
interface RecoveryCodeUse {
  left: number | null;
}

const renewBeforeMs = 30_000;
const codeTriesMax = 3;
/** A recovery code is longer. */
const totpDigits = 6;

/** Kill switches do not affect these routes, so operators can always sign in. */
const signIns = "/api/ops/sign-ins";
const refreshes = "/api/ops/sign-ins/refreshes";
const confirmations = "/api/ops/sign-ins/confirmations";
const signOuts = "/api/ops/sign-outs";

const Confirmation = Pair.omit({ refreshToken: true });
const Factor = z.object({ recoveryCodesLeft: z.int() });
const SignedIn = z.object({ email: z.string().nullable(), role: z.string() });

/** The session stored in `file`. `target` is added to commands that are shown, such as ` --url https://api.example.com`. */
export function openSignIn(url: URL, file: SessionFile, terminal: Terminal, target = ""): SignIn {
  async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
    requireEncryption(url);
    return exchange(url, { method: "POST", path, body, headers });
  }

  async function token(): Promise<string | undefined> {
    const stored = file.read();
    if (!stored) return undefined;
    requireEncryption(url);
    return stored.expiresAt - renewBeforeMs > Date.now() ? stored.accessToken : renew(stored);
  }

  async function renew(stored: StoredSession): Promise<string | undefined> {
    const rotationId = stored.rotationId ?? randomUUID();
    // Stored before the call: if the reply is lost, the retry must use the same rotation ID.
    file.write({ ...stored, rotationId });
    const headers = { "rotation-id": rotationId, "device-id": stored.deviceId };
    const answer = await post(refreshes, { refreshToken: stored.refreshToken }, headers);
    if (answer.status === 401) {
      file.remove();
      return undefined;
    }
    return keep(stored.deviceId, replyOf(Pair, answer)).accessToken;
  }

  /** A token of the account, even an expired one, bypasses the login delay caused by others' failed attempts. */
  async function postCredentials(credentials: object, known: StoredSession | null) {
    if (!known) return post(signIns, credentials);
    const authorization = `Bearer ${known.accessToken}`;
    const answer = await post(signIns, credentials, { authorization });
    // The JWT secret was rotated.
    return answer.code === "token_invalid" ? post(signIns, credentials) : answer;
  }

  function keep(deviceId: string, pair: Pair): StoredSession {
    const { accessToken, refreshToken, expiresIn } = pair;
    const expiresAt = Date.now() + expiresIn * 1000;
    const session = { deviceId, accessToken, refreshToken, expiresAt };
    file.write(session);
    return session;
  }

  async function end(accessToken: string): Promise<void> {
    const answer = await post(signOuts, undefined, { authorization: `Bearer ${accessToken}` });
    if (answer.status !== 401) requireSuccess(answer);
  }

  async function reauthenticate(): Promise<void> {
    const accessToken = await token();
    const stored = file.read();
    if (!accessToken || !stored)
      throw new RefusedError("Not signed in. Sign in with `npm run ops -- login`.", {
        code: "token_missing",
      });
    const authorization = `Bearer ${accessToken}`;
    const answer = await withCode((otp) => post(confirmations, { otp }, { authorization }));
    const fresh = replyOf(Confirmation, answer);
    const expiresAt = Date.now() + fresh.expiresIn * 1000;
    file.write({ ...stored, accessToken: fresh.accessToken, expiresAt });
  }

  /** In a terminal, asks again after a wrong code; from a pipe, the next line is the next answer. */
  async function withCode(send: (otp: string) => Promise<HttpAnswer>): Promise<HttpAnswer> {
    for (let tries = 1; ; tries += 1) {
      const answer = await send(await askCode(terminal, "Second factor code", { hidden: true }));
      // A code of another form is not valid.
      const isWrong = answer.code === "otp_invalid" || answer.code === "validation_failed";
      if (!isWrong || !terminal.isInteractive || tries === codeTriesMax) return answer;
      terminal.show("Wrong or used code. Wait for the next one.");
    }
  }

  /** Null without a session, and for a session that is not an operator's with a second factor. */
  async function signedIn(): Promise<{ email: string } | null> {
    const accessToken = await token();
    if (!accessToken || !hasFactor(accessToken)) return null;
    const headers = { authorization: `Bearer ${accessToken}` };
    const answer = await exchange(url, { method: "GET", path: "/api/user", headers });
    if (answer.status !== 200) return null;
    const { email, role } = readReply(SignedIn, answer);
    return email !== null && role !== "user" ? { email } : null;
  }

  /** Null while the route is switched off: the sign-in has succeeded. */
  async function recoveryCodesLeft({ accessToken }: Pair): Promise<number | null> {
    const headers = { authorization: `Bearer ${accessToken}` };
    const answer = await exchange(url, { method: "GET", path: "/api/auth/totp", headers });
    return answer.status === 200 ? readReply(Factor, answer).recoveryCodesLeft : null;
  }

  return {
    hasSession: () => file.read() !== null,
    token,
    reauthenticate,
    async confirm() {
      if (!terminal.isInteractive) return false;
      await reauthenticate();
      return true;
    },
    async logIn() {
      requireEncryption(url);
      const email = await askEmail(terminal);
      const password = await terminal.ask("Password", { hidden: true });
      const known = file.read();
      const deviceId = file.deviceId() ?? randomUUID();
      const credentials = { email, password, device: { id: deviceId, name: "ops command line" } };
      let answer = await postCredentials(credentials, known);
      let code = "";
      if (answer.code === "otp_required") {
        answer = await withCode((otp) => {
          code = otp;
          return postCredentials({ ...credentials, otp }, known);
        });
      }
      if (answer.code === "invalid_credentials") throw new RefusedError(refusalText(answer));
      const pair = replyOf(Pair, answer);
      if (!hasFactor(pair.accessToken)) {
        await end(pair.accessToken);
        throw new RefusedError(
          `Operators must use a second factor. Set it up with \`npm run ops -- operator enrol${target}\`.`,
        );
      }
      keep(deviceId, pair);
      const isRecoveryCode = code.replace(/[^a-z\d]/gi, "").length > totpDigits;
      return { recoveryCode: isRecoveryCode ? { left: await recoveryCodesLeft(pair) } : null };
    },
    async enrol(options) {
      requireEncryption(url);
      const deviceId = file.deviceId() ?? randomUUID();
      const before = file.read()?.accessToken;
      const steps = { terminal, deviceId, post, keep, renew, withCode, signedIn };
      /** A session without a second factor, which this run began. */
      const endUnfinished = async () => {
        const stored = file.read();
        if (!stored || stored.accessToken === before || hasFactor(stored.accessToken)) return;
        file.end();
        await end(stored.accessToken).catch(() =>
          terminal.show("The session of this interrupted run could not be ended."),
        );
      };
      // Between two questions; a question rejects instead.
      const onInterrupt = () => void endUnfinished().finally(() => process.exit(130));
      process.once("SIGINT", onInterrupt);
      try {
        return await enrol({ ...steps, token, reauthenticate }, options);
      } catch (error) {
        await endUnfinished();
        throw error;
      } finally {
        process.off("SIGINT", onInterrupt);
      }
    },
    async logOut() {
      const stored = file.read();
      if (!stored) return false;
      await end(stored.accessToken);
      file.remove();
      return true;
    },
  };
}

/** The server answers both cases alike. */
function refusalText(answer: HttpAnswer): string {
  return `${problemText(answer)} If the credentials are correct, the account is not an operator. An admin can grant it: npm run ops -- operator grant USER`;
}

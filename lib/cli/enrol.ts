import { randomUUID } from "node:crypto";
import { decodeJwt } from "jose";
import * as z from "zod";
import { passwordLengthProblem } from "../auth/password/password-length.js";
import { FailedError, RefusedError, UsageError } from "./failures.js";
import { type HttpAnswer, problemText, requireSuccess } from "./http.js";
import { replyOf } from "./read-reply.js";
import type { StoredSession } from "./session-file.js";
import { askCode, askEmail, askUntilValid, type Terminal } from "./terminal.js";
import { Pair } from "./token-pair.js";

interface Steps {
  terminal: Terminal;
  /** Also of an interrupted run: an address that is not confirmed yet opens only on the device that registered it. */
  deviceId: string;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<HttpAnswer>;
  keep(deviceId: string, pair: Pair): StoredSession;
  renew(stored: StoredSession): Promise<string | undefined>;
  /** Asks for a code of the second factor, again after a wrong one. */
  withCode(send: (otp: string) => Promise<HttpAnswer>): Promise<HttpAnswer>;
  /** The operator with a second factor whose session is stored; null without one. */
  signedIn(): Promise<{ email: string } | null>;
  token(): Promise<string | undefined>;
  reauthenticate(): Promise<void>;
}

export interface EnrolOptions {
  /** Of the break-glass token; null without one. */
  firstAdmin: FirstAdmin | null;
  renewsRecoveryCodes: boolean;
}

interface Look {
  operatorsExist: boolean;
  mailProblem: string | undefined;
}

interface FirstAdmin {
  /** Throws when the server refuses the token. */
  look(): Promise<Look>;
  grant(userId: string): Promise<unknown>;
}

const triesMax = 5;

const Account = z.object({
  user: z.object({ id: z.string(), emailVerified: z.boolean(), role: z.string() }),
});
const Enrolment = z.object({ secret: z.string(), otpauthUrl: z.string() });
const RecoveryCodes = z.object({ recoveryCodes: z.array(z.string()) });

/**
 * Create or take the account, confirm its address, make it an admin, set up its second factor and store the session. Each
 * step that is done is skipped, so an interrupted run can be repeated. Null without new recovery codes.
 */
export async function enrol(steps: Steps, options: EnrolOptions): Promise<string[] | null> {
  const { terminal, deviceId, post, keep, renew, withCode } = steps;
  if (!terminal.isInteractive) {
    throw new UsageError(
      "This command shows a secret and asks for a code made from it, so it needs a terminal.",
    );
  }
  const current = await steps.signedIn();
  if (current) {
    terminal.show(
      `Signed in as ${current.email}. For another account, sign out first: npm run ops -- logout`,
    );
    return options.renewsRecoveryCodes ? renewRecoveryCodes(steps) : null;
  }
  const { firstAdmin } = options;
  // First of all: a refusal must leave no account behind.
  const server = await firstAdmin?.look();
  const email = await askEmail(terminal);
  const isNew = server !== undefined && !(await saysYes("Does an account with it exist? (yes/no)"));
  if (isNew) requireFirstAdminPossible(server);
  const password = await (isNew ? askNewPassword("Password") : askPassword("Password"));
  const credentials = { email, password, device: { id: deviceId, name: "ops command line" } };

  async function signIn(path: string): Promise<HttpAnswer> {
    const answer = await post(path, credentials);
    if (answer.code !== "otp_required") return answer;
    return withCode((otp) => post(path, { ...credentials, otp }));
  }

  async function takeAccount({ grant }: FirstAdmin): Promise<HttpAnswer> {
    const taken = isNew ? await register() : await signIn("/api/auth/login");
    if (taken.code === "feature_disabled") return signIn(operatorSignIns);
    if (taken.code === "invalid_credentials") throw new RefusedError(problemText(taken));
    const { accessToken } = keep(deviceId, replyOf(Pair, taken));
    const { user } = replyOf(Account, taken);
    if (user.role !== "user") return taken;
    // The grant is refused while operators exist.
    if (!user.emailVerified && !server?.operatorsExist) {
      await confirmAddress(bearerOf(accessToken), isNew);
    }
    await grant(user.id);
    return signIn(operatorSignIns);
  }

  async function register(): Promise<HttpAnswer> {
    const name = await askUntilValid(terminal, "Name", (typed) =>
      typed ? undefined : "Enter a name.",
    );
    for (let tries = 1; ; tries += 1) {
      const body = { ...credentials, name, acceptedTerms: true };
      const answer = await post("/api/auth/register", body);
      if (answer.code !== "validation_failed" || tries === triesMax) return answer;
      terminal.show(problemText(answer));
      credentials.password = await askNewPassword("Another password");
    }
  }

  async function saysYes(question: string): Promise<boolean> {
    const typed = await askUntilValid(terminal, question, (typed) =>
      /^(y(es)?|no?)$/i.test(typed) ? undefined : "Answer yes or no.",
    );
    return /^y/i.test(typed);
  }

  function askPassword(question: string): Promise<string> {
    return askUntilValid(terminal, question, passwordLengthProblem, { hidden: true });
  }

  async function askNewPassword(question: string): Promise<string> {
    for (let tries = 1; ; tries += 1) {
      const typed = await askPassword(question);
      if ((await terminal.ask("Password again", { hidden: true })) === typed) return typed;
      if (tries === triesMax) throw new UsageError("The passwords differ.");
      terminal.show("The passwords differ.");
    }
  }

  async function confirmAddress(bearer: Record<string, string>, isMailed: boolean): Promise<void> {
    requireMail(server?.mailProblem);
    if (!isMailed) requireSuccess(await post("/api/auth/verify-email/resend", undefined, bearer));
    terminal.show(
      `A code is mailed to ${email}. If none arrives, an account with this address exists, or the mails of this hour are used up: run this again.`,
    );
    await untilRight("Code from the mail", (code) =>
      post("/api/auth/verify-email", { code }, bearer),
    );
  }

  async function untilRight(question: string, send: (code: string) => Promise<HttpAnswer>) {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const code = await askCode(terminal, question);
      const answer = await send(code);
      if (answer.code !== "code_invalid") {
        requireSuccess(answer);
        return answer;
      }
      terminal.show("Wrong or expired code.");
    }
    throw new FailedError("Too many wrong codes. Run the command again.");
  }

  async function setUpFactor(bearer: Record<string, string>): Promise<string[]> {
    const begun = await post("/api/auth/totp", undefined, bearer);
    const { secret, otpauthUrl } = replyOf(Enrolment, begun);
    terminal.show(await qrCode(otpauthUrl));
    terminal.show(`Scan this with an authenticator app, or enter it there:\n${otpauthUrl}`);
    terminal.show(`Secret: ${secret}\nAn entry from an interrupted run is no longer valid.`);
    const confirmed = await untilRight("First code of the app", (code) => {
      // When the reply is lost, the same key returns the same recovery codes.
      const headers = { ...bearer, "idempotency-key": randomUUID() };
      const send = () => post("/api/auth/totp/confirm", { code }, headers);
      return send().catch(send);
    });
    return replyOf(RecoveryCodes, confirmed).recoveryCodes;
  }

  const answer = await (firstAdmin ? takeAccount(firstAdmin) : signIn(operatorSignIns));
  if (!firstAdmin && answer.code === "invalid_credentials") {
    throw new RefusedError(
      `${problemText(answer)} For the first admin, set OPS_TOKEN to the break-glass token, and OPS_URL to this deployment. Otherwise an admin can grant the role: npm run ops -- operator grant USER`,
    );
  }
  const stored = keep(deviceId, replyOf(Pair, answer));
  if (!hasFactor(stored.accessToken)) {
    const codes = await setUpFactor(bearerOf(stored.accessToken));
    await renew(stored);
    return codes;
  }
  return options.renewsRecoveryCodes ? renewRecoveryCodes(steps) : null;
}

async function renewRecoveryCodes({ post, token, reauthenticate }: Steps): Promise<string[]> {
  const send = async () =>
    post("/api/auth/recovery-codes", undefined, bearerOf((await token()) ?? ""));
  let answer = await send();
  if (answer.code === "reauth_required") {
    await reauthenticate();
    answer = await send();
  }
  return replyOf(RecoveryCodes, answer).recoveryCodes;
}

function requireFirstAdminPossible({ operatorsExist, mailProblem }: Look): void {
  if (operatorsExist) {
    throw new FailedError(
      "There are operators already: OPS_TOKEN cannot make another. Create the account in the app, and ask an admin: npm run ops -- operator grant USER",
      { code: "operators_exist" },
    );
  }
  requireMail(mailProblem);
}

function requireMail(problem: string | undefined): void {
  if (!problem) return;
  throw new FailedError(
    `The address of the account is confirmed with a mailed code, but ${problem}. Then run this again.`,
  );
}

const operatorSignIns = "/api/ops/sign-ins";
const bearerOf = (token: string) => ({ authorization: `Bearer ${token}` });

export function hasFactor(accessToken: string): boolean {
  const { amr } = decodeJwt(accessToken);
  return Array.isArray(amr) && amr.includes("otp");
}

/** Loaded here only: other commands must start without it. White on black, as the blocks assume. */
async function qrCode(text: string): Promise<string> {
  const { renderUnicodeCompact } = await import("uqr");
  const lines = renderUnicodeCompact(text, { border: 2 }).split("\n");
  return lines.map((line) => `\u001b[97;40m${line}\u001b[0m`).join("\n");
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import user from "../../../api/user/index.js";
import { createApi } from "../../../lib/cli/api.js";
import { sessionFile } from "../../../lib/cli/session-file.js";
import { openSignIn } from "../../../lib/cli/sign-in.js";
import { call } from "../../support/call.js";
import { setDefaults } from "../../support/environment.js";
import { anOperator, demoteOperators, type OperatorPerson } from "../../support/operators.js";
import { aUser, password } from "../../support/people.js";
import { resetUsedStep } from "../../support/second-factor.js";
import { useServedFunctions } from "../../support/served-functions.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const served = useServedFunctions();
setDefaults({ RATE_LIMIT_MAX_REQUESTS: "100000" });

const directory = mkdtempSync(join(tmpdir(), "linguamate-second-factor-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let operator: OperatorPerson;
beforeEach(async () => {
  await stores.liftLimits();
  await demoteOperators(stores);
  operator = await anOperator(stores);
  sessionFile(directory, new URL(served.url)).remove();
});

/** Answers `E-mail` and `Password`, and each question for a code with the next of `codes`. */
function terminalWith(codes: (() => string)[], isInteractive = true) {
  const known: Record<string, string> = { "E-mail": operator.email, Password: password };
  let shown = "";
  let codesAsked = 0;
  return {
    isInteractive,
    get shown() {
      return shown;
    },
    get codesAsked() {
      return codesAsked;
    },
    show(text: string) {
      shown += `${text}\n`;
    },
    async ask(question: string) {
      const answer = known[question];
      if (answer !== undefined) return answer;
      await resetUsedStep(stores, operator);
      const code = codes[codesAsked];
      codesAsked += 1;
      if (!code) throw new Error(`There is no answer to ${question}.`);
      return code();
    },
  };
}

function open(terminal: ReturnType<typeof terminalWith>) {
  const url = new URL(served.url);
  const signIn = openSignIn(url, sessionFile(directory, url), terminal);
  const api = createApi({ url, credentials: signIn, reason: "a test", dryRun: false });
  return { signIn, api };
}

const right = () => operator.app.code();
const wrong = () => "000000";

/** A session whose second factor is too old for a change. */
async function signedInBefore() {
  await open(terminalWith([right])).signIn.logIn();
  await stores.sql(
    "update sessions set authenticated_at = now() - interval '20 minutes' where user_id = $1",
    operator.user.id,
  );
  const file = sessionFile(directory, new URL(served.url));
  const stored = file.read();
  if (stored) file.write({ ...stored, expiresAt: 0 });
}

describe("a wrong code of the second factor", () => {
  it("is asked for again before a change, which then continues", async () => {
    await signedInBefore();
    const victim = await aUser();
    const empty = () => "";
    const terminal = terminalWith([wrong, empty, wrong, empty, right]);
    const { text } = await open(terminal).api.change("POST", "/api/ops/revocations", {
      session: victim.sessionId,
    });
    expect(text).toBe(
      `Revoked session ${victim.sessionId}. There is no undo: the user signs in again, a guest cannot.`,
    );
    expect(terminal.codesAsked).toBe(5);
    expect(terminal.shown).toBe(
      "Wrong or used code. Wait for the next one.\nEnter the code.\n".repeat(2),
    );
  }, 60_000);

  it("ends the command after three, and says that nothing was changed", async () => {
    await signedInBefore();
    const victim = await aUser();
    const terminal = terminalWith([wrong, wrong, wrong, right]);
    const { api } = open(terminal);
    const change = api.change("POST", "/api/ops/revocations", { session: victim.sessionId });
    await expect(change).rejects.toMatchObject({
      name: "RefusedError",
      message: expect.stringMatching(/otp_invalid.* Nothing was changed\.$/),
      body: { code: "otp_invalid", status: 401 },
    });
    expect(terminal.codesAsked).toBe(3);
    expect((await call(user, "GET", { token: victim.accessToken })).status).toBe(200);
  }, 60_000);

  it("is asked for again at sign-in, but not when stdin is a pipe", async () => {
    const terminal = terminalWith([wrong, right]);
    await open(terminal).signIn.logIn();
    expect(terminal.codesAsked).toBe(2);
    const piped = terminalWith([wrong, right], false);
    await expect(open(piped).signIn.logIn()).rejects.toThrow(/otp_invalid/);
    await expect(open(piped).signIn.reauthenticate()).resolves.toBeUndefined();
    const pipedAgain = terminalWith([wrong, right], false);
    await expect(open(pipedAgain).signIn.reauthenticate()).rejects.toThrow(/otp_invalid/);
    expect(pipedAgain.codesAsked).toBe(1);
  }, 60_000);
});

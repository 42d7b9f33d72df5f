import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sessionFile } from "../../lib/cli/session-file.js";
import { useEnvironment } from "../support/environment.js";
import { anOperator, demoteOperators, type OperatorPerson } from "../support/operators.js";
import { opsBundle } from "../support/ops-command.js";
import { aBoundUser, password } from "../support/people.js";
import { key, onTerminal, type Typed } from "../support/pty.js";
import { useServedFunctions } from "../support/served-functions.js";
import { useStores } from "../support/stores.js";

const stores = useStores();
const served = useServedFunctions();
useEnvironment({ RATE_LIMIT_MAX_REQUESTS: "100000" });

const directory = mkdtempSync(join(tmpdir(), "linguamate-terminal-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeAll(() => opsBundle());

let operator: OperatorPerson;
beforeEach(async () => {
  await stores.liftLimits();
  await demoteOperators(stores);
  rmSync(join(directory, "linguamate-ops"), { recursive: true, force: true });
  operator = await anOperator(stores, "admin");
});

const stored = () =>
  sessionFile(join(directory, "linguamate-ops"), new URL(served.url)).read() !== null;

async function type(args: string[], ...typed: Typed[]) {
  return onTerminal([await opsBundle(), ...args], typed, {
    OPS_URL: served.url,
    XDG_CONFIG_HOME: directory,
    HOME: directory,
  });
}

const email = (): Typed => ["E-mail: ", operator.email + key.enter];
const hiddenPassword: Typed = ["Password: ", password + key.enter];
const code = (): Typed => ["Second factor code: ", operator.app.code() + key.enter];
const wrongCode = (): Typed => ["Second factor code: ", operator.app.wrongCode() + key.enter];

describe("npm run ops on a terminal", () => {
  it("signs in with typed answers, and shows the e-mail address but no secret", async () => {
    const shown = await type(["login"], email(), hiddenPassword, code());
    expect(shown).toMatchObject({ status: 0 });
    expect(shown.out).toContain(operator.email);
    expect(shown.out).not.toContain(password);
    expect(shown.out).toContain(`Signed in at ${served.url}.`);
    expect(stored()).toBe(true);
  });

  it("takes the right code after a wrong one", async () => {
    const shown = await type(["login"], email(), hiddenPassword, wrongCode(), code());
    expect(shown).toMatchObject({ status: 0 });
    expect(shown.out).toContain("Wrong or used code. Wait for the next one.");
    expect(stored()).toBe(true);
  });

  it("refuses after three wrong codes", async () => {
    const codes = [wrongCode(), wrongCode(), wrongCode()];
    const shown = await type(["login"], email(), hiddenPassword, ...codes);
    expect(shown).toMatchObject({ status: 3 });
    expect(shown.out.match(/Second factor code: /g)).toHaveLength(3);
    expect(stored()).toBe(false);
  });

  it.each(["interrupt", "endOfFile"] as const)("cancels a line at %s", async (pressed) => {
    const shown = await type(["login"], ["E-mail: ", key[pressed]]);
    expect(shown).toMatchObject({ status: 2 });
    expect(shown.out).toContain("Cancelled.");
  });

  it.each(["interrupt", "endOfFile"] as const)("cancels a hidden line at %s", async (pressed) => {
    const shown = await type(["login"], email(), ["Password: ", key[pressed]]);
    expect(shown).toMatchObject({ status: 2 });
    expect(shown.out).toContain("Cancelled.");
    expect(stored()).toBe(false);
  });

  it("enrols on a terminal", async () => {
    const shown = await type(["operator", "enrol"], email(), hiddenPassword, code());
    expect(shown).toMatchObject({ status: 0 });
    expect(shown.out).toContain("with a second factor.");
    expect(stored()).toBe(true);
  });

  it("breaks the lines of `operator grant` and of its help between words", async () => {
    const signedIn = await type(["login"], email(), hiddenPassword, code());
    expect(signedIn).toMatchObject({ status: 0 });
    const { user } = await aBoundUser(stores);
    const granted = await type(["operator", "grant", user.id, "--reason", "on call"]);
    expect(granted).toMatchObject({ status: 0 });
    const help = await type(["operator", "--help"]);
    const lines = `${granted.out}\n${help.out}`.split("\n");
    const long = lines.filter((line) => line.length > 80);
    expect(long).toEqual([expect.stringMatching(/^Undo: npm run ops -- operator revoke /)]);
    expect(granted.out).toContain(`Made ${user.id} operator`);
  });
});

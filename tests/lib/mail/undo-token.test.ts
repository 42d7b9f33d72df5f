import "../../support/environment.js";
import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { env } from "../../../lib/env.js";
import { undoToken, verifyUndoToken } from "../../../lib/mail/undo-token.js";
import { redactText } from "../../../lib/observability/redact.js";
import { setEnvironment } from "../../support/environment.js";

describe("the undo token of an e-mail change", () => {
  it("identifies its change", () => {
    const id = randomUUID();
    expect(undoToken(env(), id)).toMatch(/^ue1\.[\da-f-]{36}\.[\w-]{43}$/);
    expect(verifyUndoToken(env(), undoToken(env(), id))).toBe(id);
  });

  it("is invalid after any modification", () => {
    const token = undoToken(env(), randomUUID());
    const [version = "", id = "", mac = ""] = token.split(".");
    const others = [
      "",
      "ue1..",
      id,
      `${version}.${randomUUID()}.${mac}`,
      `${version}.${id.toUpperCase()}.${mac}`,
      `ue2.${id}.${mac}`,
      `${token}A`,
      `${token}_A`,
      token.slice(0, -1),
    ];
    expect(others.map((text) => verifyUndoToken(env(), text))).toEqual(others.map(() => null));
  });

  it("stays valid after a change of JWT_SECRET if DATA_KEY is set, but not after a change of DATA_KEY", () => {
    const dataKey = "a-data-key-of-the-tests-of-32-bytes-or-more";
    setEnvironment({ DATA_KEY: dataKey });
    const id = randomUUID();
    const token = undoToken(env(), id);
    setEnvironment({ DATA_KEY: dataKey, JWT_SECRET: "another-secret-of-the-tests-of-32-bytes" });
    expect(verifyUndoToken(env(), token)).toBe(id);
    setEnvironment({ DATA_KEY: `${dataKey}!` });
    expect(verifyUndoToken(env(), token)).toBeNull();
    setEnvironment({});
  });

  it("is redacted in log lines", () => {
    expect(redactText(`undone by ${undoToken(env(), randomUUID())}`)).toBe("undone by [token]");
  });
});

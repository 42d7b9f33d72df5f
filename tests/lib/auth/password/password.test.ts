import { hash, parseOptions } from "@node-rs/argon2";
import { describe, expect, it } from "vitest";
import {
  findPasswordViolation,
  hashPassword,
  isOutdated,
  passwordMatches,
} from "../../../../lib/auth/password/password.js";
import { useRealHashes } from "../../../support/hashes.js";

useRealHashes();

const refusal = (password: string, email = "ada.lovelace@example.com") =>
  findPasswordViolation(password, email)?.code ?? null;

/** @node-rs/argon2 has it only in a const enum, which cannot be imported. */
const argon2i = 1;

describe("a password's hash", () => {
  it("is argon2id with OWASP's first parameters, as a PHC string with its own salt", async () => {
    const [one, other] = [await hashPassword("correct horse"), await hashPassword("correct horse")];
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22,}\$[\w+/]{43,}$/);
    expect(other).not.toBe(one);
    expect(isOutdated(one)).toBe(false);
  });

  it.each([
    ["less memory", { memoryCost: 8192, timeCost: 2, parallelism: 1 }],
    ["one pass", { memoryCost: 19_456, timeCost: 1, parallelism: 1 }],
    ["more lanes", { memoryCost: 19_456, timeCost: 2, parallelism: 2 }],
    ["another algorithm", { memoryCost: 19_456, timeCost: 2, algorithm: argon2i }],
  ])("made with %s is outdated and still matches", async (_, options) => {
    const older = await hash("correct horse", options);
    expect(isOutdated(older)).toBe(true);
    expect(await passwordMatches(older, "correct horse")).toBe(true);
  });
});

describe("a password", () => {
  it("matches exactly, without trimming or case folding", async () => {
    const made = await hashPassword(" Correct  horse ");
    expect(await passwordMatches(made, " Correct  horse ")).toBe(true);
    for (const other of ["Correct  horse", " correct  horse ", " Correct horse ", ""]) {
      expect(await passwordMatches(made, other)).toBe(false);
    }
  });

  it.each([
    ["composed", "caf\u00e9 au lait", "cafe\u0301 au lait"],
    ["decomposed", "cafe\u0301 au lait", "caf\u00e9 au lait"],
    [
      "Hangul",
      "\ud55c\uad6d\uc5b4 \ubc30\uc6b0\uae30",
      "\u1112\u1161\u11ab\uad6d\uc5b4 \ubc30\uc6b0\uae30",
    ],
  ])("matches in either Unicode normalization form (%s)", async (_, set, typed) => {
    expect(await passwordMatches(await hashPassword(set), typed)).toBe(true);
  });

  it("does not match a password that only looks the same", async () => {
    const made = await hashPassword("ﬁle①password");
    expect(await passwordMatches(made, "file1password")).toBe(false);
  });

  it("never matches without an account", async () => {
    for (const guess of ["", "correct horse", "\0"]) {
      expect(await passwordMatches(null, guess)).toBe(false);
    }
  });

  it("is compared with a hash of the same cost without an account", async () => {
    const source = await import("node:fs").then(({ readFileSync }) =>
      readFileSync("lib/auth/password/password.ts", "utf8"),
    );
    const [dummyHash = ""] = /\$argon2id\$[^"]+/.exec(source) ?? [];
    const { algorithm, memoryCost, timeCost, parallelism } = parseOptions(dummyHash);
    const today = parseOptions(await hashPassword("correct horse"));
    expect({ algorithm, memoryCost, timeCost, parallelism }).toMatchObject({
      algorithm: today.algorithm,
      memoryCost: today.memoryCost,
      timeCost: today.timeCost,
      parallelism: today.parallelism,
    });
  });
});

describe("a new password", () => {
  it.each([
    "correct horse battery",
    "aaaaaaab",
    "        ",
    "пароль-надёжный",
    "👩‍🚀👩‍🚀👩‍🚀",
    "x".repeat(128),
    "🎓".repeat(128),
    "e\u0301".repeat(128),
  ])("may be %j, since there are no composition rules", (password) => {
    expect(refusal(password)).toBeNull();
  });

  it.each([
    ["", "password_length"],
    ["seven77", "password_length"],
    ["🎓".repeat(7), "password_length"],
    ["e\u0301".repeat(7), "password_length"],
    ["x".repeat(129), "password_length"],
    ["🎓".repeat(129), "password_length"],
    ["linguamate", "password_app_name"],
    ["My LinguaMate 1", "password_app_name"],
    ["ada.lovelace", "password_email"],
    ["ADA.Lovelace1", "password_email"],
    ["x-ada.lovelace-x", "password_email"],
  ])("may not be %j: %s", (password, code) => {
    expect(refusal(password)).toBe(code);
  });

  it.each(["e\u0301lodie-smith", "\u00e9lodie-smith"])(
    "may not contain the local part of the address in either normalization form: %j",
    (localPart) => {
      for (const password of ["e\u0301lodie-smith", "\u00c9LODIE-smith1"]) {
        expect(refusal(password, `${localPart}@example.com`)).toBe("password_email");
      }
    },
  );

  it("may contain a very short local part", () => {
    expect(refusal("adaptable horse", "ada@example.com")).toBeNull();
  });

  it("is refused with instructions and a pointer to the field", () => {
    expect(findPasswordViolation("short", "ada@example.com")).toEqual({
      pointer: "/password",
      code: "password_length",
      message: "The password must have 8 to 128 characters.",
    });
  });
});

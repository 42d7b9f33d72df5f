import { describe, expect, it } from "vitest";
import register from "../../../../api/auth/register.js";
import { isCommonPassword } from "../../../../lib/auth/password/common-passwords.js";
import { packedPasswords } from "../../../../lib/auth/password/common-passwords-list.js";
import { call } from "../../../support/call.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();

describe("a common password", () => {
  it.each([
    "password",
    "12345678",
    "123456789",
    "1234567890",
    "11111111",
    "qwertyuiop",
    "iloveyou",
    "password1",
    "baseball",
    "football",
    "trustno1",
    "superman",
    "sunshine",
    "princess",
    "PassWord",
    "ILOVEYOU",
  ])("is %j", (password) => {
    expect(isCommonPassword(password)).toBe(true);
  });

  it.each([
    "correct horse battery",
    "password.",
    " password",
    "pässword",
    "",
    "a\nb",
    "password\nfootball",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "пароль-надёжный",
  ])("is not %j", (password) => {
    expect(isCommonPassword(password)).toBe(false);
  });

  it("returns 422 with a reason and creates no account", async () => {
    const { status, code, body } = await call(register, "POST", {
      body: { email: "ada@example.com", password: "Sunshine", name: "Ada", acceptedTerms: true },
    });
    expect({ status, code }).toEqual({ status: 422, code: "validation_failed" });
    expect(body.errors).toEqual([
      {
        pointer: "/password",
        code: "password_common",
        message: "This password is too common. Choose another one.",
      },
    ]);
    expect(await stores.sql("select id from users")).toEqual([]);
  });
});

describe("the list of common passwords", () => {
  it("has 10,000 unique passwords of at least 8 characters, lower case and sorted", async () => {
    const { brotliDecompressSync } = await import("node:zlib");
    const text = brotliDecompressSync(Buffer.from(packedPasswords, "base64")).toString();
    const list = text.split("\n");
    expect(list).toHaveLength(10_000);
    expect(list).toEqual([...new Set(list)].sort());
    expect(list.filter((entry) => [...entry].length < 8 || entry !== entry.toLowerCase())).toEqual(
      [],
    );
    expect(list.every(isCommonPassword)).toBe(true);
  });

  it("adds less than 40 KB to a function", () => {
    expect(packedPasswords.length).toBeLessThan(40_000);
  });
});

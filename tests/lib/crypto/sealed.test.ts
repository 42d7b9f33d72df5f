import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSealedWithCurrentKey, seal, unseal } from "../../../lib/crypto/sealed.js";
import { keyId } from "../../../lib/crypto/secret.js";
import { readEnv } from "../../../lib/env.js";

const jwtSecret = "a-secret-of-the-tests-of-32-bytes-or-more";
const dataKey = "the-data-key-of-the-tests-of-32-bytes";
const environment = (variables: Record<string, string> = {}) =>
  readEnv({ NODE_ENV: "test", JWT_SECRET: jwtSecret, DATA_KEY: dataKey, ...variables });
const env = environment();
const mine = { purpose: "totp-secret", owner: "user-1" };

describe("an encrypted value", () => {
  it("decrypts to the original text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const wellFormed = Buffer.from(text, "utf8").toString("utf8");
        expect(unseal(env, mine, seal(env, mine, text))).toBe(wellFormed);
      }),
    );
  });

  it("contains its version and key ID, and is never the same twice", () => {
    const sealed = [seal(env, mine, "secret"), seal(env, mine, "secret")];
    for (const value of sealed) expect(value.startsWith(`s1.${keyId(dataKey)}.`)).toBe(true);
    expect(sealed[0]).not.toBe(sealed[1]);
  });

  it("decrypts only for the same owner and purpose", () => {
    const sealed = seal(env, mine, "secret");
    expect(() => unseal(env, { ...mine, owner: "another" }, sealed)).toThrow();
    expect(() => unseal(env, { ...mine, purpose: "another" }, sealed)).toThrow();
  });

  it("does not decrypt after any byte was changed or removed", () => {
    const sealed = seal(env, mine, "secret");
    const [form = "", id = "", content = ""] = sealed.split(".");
    const bytes = Buffer.from(content, "base64url");
    for (let at = 0; at < bytes.length; at++) {
      const altered = Buffer.from(bytes);
      altered[at] = (altered[at] ?? 0) ^ 1;
      const value = `${form}.${id}.${altered.toString("base64url")}`;
      expect(() => unseal(env, mine, value)).toThrow();
      const cut = `${form}.${id}.${bytes.subarray(0, at).toString("base64url")}`;
      expect(() => unseal(env, mine, cut)).toThrow();
    }
    for (const value of ["", "s1", `s2.${id}.${content}`, `s1.unknown1.${content}`]) {
      expect(() => unseal(env, mine, value)).toThrow();
    }
  });

  it("decrypts with any of the data keys, and reports whether the current one was used", () => {
    const sealed = seal(env, mine, "secret");
    const rotated = environment({ DATA_KEY: `next-${dataKey}`, DATA_KEY_PREVIOUS: dataKey });
    expect(unseal(rotated, mine, sealed)).toBe("secret");
    expect(isSealedWithCurrentKey(env, mine, sealed)).toBe(true);
    expect(isSealedWithCurrentKey(rotated, mine, sealed)).toBe(false);
    const lost = environment({ DATA_KEY: `next-${dataKey}` });
    expect(() => unseal(lost, mine, sealed)).toThrow(keyId(dataKey));
  });

  it("decrypts a value encrypted with JWT_SECRET before DATA_KEY was set", () => {
    const before = readEnv({ NODE_ENV: "test", JWT_SECRET: jwtSecret });
    const sealed = seal(before, mine, "secret");
    expect(unseal(env, mine, sealed)).toBe("secret");
    const later = environment({ JWT_SECRET: `next-${jwtSecret}`, JWT_SECRET_PREVIOUS: jwtSecret });
    expect(unseal(later, mine, sealed)).toBe("secret");
  });
});

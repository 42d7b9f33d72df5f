import { Secret } from "otpauth";
import { describe, expect, it } from "vitest";
import {
  newTotpSecret,
  otpauthUrl,
  parseTotpCode,
  totpStep,
} from "../../../../lib/auth/second-factor/totp.js";

/** RFC 6238, appendix B: the last six of its eight digits, for SHA-1. */
const vectors: [seconds: number, code: string][] = [
  [59, "287082"],
  [1_111_111_109, "081804"],
  [1_111_111_111, "050471"],
  [1_234_567_890, "005924"],
  [2_000_000_000, "279037"],
  [20_000_000_000, "353130"],
];
const secret = Secret.fromLatin1("12345678901234567890").base32;

describe("a TOTP code", () => {
  it.each(vectors)("matches RFC 6238 at %i s", (seconds, code) => {
    expect(totpStep(secret, code, new Date(seconds * 1000))).toBe(Math.floor(seconds / 30));
  });

  it("is valid one step early and one step late, and belongs to its own step", () => {
    const step = Math.floor(1_234_567_890 / 30);
    for (const [offset, expected] of [
      [-2, null],
      [-1, step],
      [0, step],
      [1, step],
      [2, null],
    ] as const) {
      const now = new Date((1_234_567_890 + offset * 30) * 1000);
      expect(totpStep(secret, "005924", now)).toBe(expected);
    }
  });

  it("may be pasted with spaces, but with no other character inside", () => {
    expect(parseTotpCode(" 005 924 ")).toBe("005924");
    for (const typed of ["", "5924", "0059241", "00592a", "005.924"]) {
      expect(parseTotpCode(typed)).toBeNull();
    }
  });
});

describe("a new secret", () => {
  it("has 160 bits", () => {
    expect(newTotpSecret()).toMatch(/^[A-Z2-7]{32}$/);
    expect(newTotpSecret()).not.toBe(newTotpSecret());
  });

  it("is put into an otpauth URL with an encoded label", () => {
    const url = otpauthUrl(secret, "a+b@xn--bcher-kva.example");
    expect(new URL(url).searchParams.get("secret")).toBe(secret);
    expect(url).toContain("a%2Bb%40xn--bcher-kva.example");
  });
});

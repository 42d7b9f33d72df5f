import { describe, expect, it } from "vitest";
import { canonicalEmail } from "../../../lib/user/email-address.js";

const label = (length: number) => "d".repeat(length);

describe("canonicalEmail", () => {
  it.each([
    ["ada@example.com", "ada@example.com"],
    [" Ada@Example.COM\t", "ada@example.com"],
    ["ada+spanish@example.com", "ada+spanish@example.com"],
    ["ada.lovelace@mail.eu.example.com", "ada.lovelace@mail.eu.example.com"],
    ["o'neil_1-2@example.com", "o'neil_1-2@example.com"],
    ["!#$%&*/=?^`{|}~@example.com", "!#$%&*/=?^`{|}~@example.com"],
    ["1@2.example", "1@2.example"],
    ["ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"],
    ["ada@bücher.example", "ada@xn--bcher-kva.example"],
    ["ada@BÜCHER.example", "ada@xn--bcher-kva.example"],
    ["ada@bu\u0308cher.example", "ada@xn--bcher-kva.example"],
    ["ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah"],
    ["ada@example。com", "ada@example.com"],
    ["jürgen@example.com", "jürgen@example.com"],
    ["ju\u0308rgen@example.com", "jürgen@example.com"],
    ["ＡＤＡ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ada@example.com"],
    ["ﬁona@example.com", "fiona@example.com"],
    ["Ⓐda@example.com", "ada@example.com"],
    ["δοκιμή@παράδειγμα.δοκιμή", "δοκιμή@xn--hxajbheg2az3al.xn--jxalpdlp"],
    ["İda@example.com", "i̇da@example.com"],
  ])("of %j is %j", (input, canonical) => {
    expect(canonicalEmail(input)).toBe(canonical);
  });

  it("does not change its own result, for any character", () => {
    const unstable: string[] = [];
    for (let code = 0x20; code < 0x3_0000; code++) {
      const input = `a${String.fromCodePoint(code)}b@example.com`;
      const canonical = canonicalEmail(input);
      if (canonical !== null && canonicalEmail(canonical) !== canonical) unstable.push(input);
    }
    expect(unstable).toEqual([]);
  });
});

describe("an invalid e-mail address", () => {
  it.each([
    ["an empty string", ""],
    ["white space", " \t "],
    ["no @", "ada.example.com"],
    ["two @", "ada@eve@example.com"],
    ["two @, one of them wide", "ada＠eve@example.com"],
    ["two @, one of them quoted", '"ada@eve"@example.com'],
    ["no local part", "@example.com"],
    ["no domain", "ada@"],
    ["one label", "ada@localhost"],
    ["a space in it", "ada lovelace@example.com"],
    ["a no-break space", "ada\u00a0l@example.com"],
    ["CR and LF", "ada@example.com\r\nBcc: eve@example.com"],
    ["LF in the local part", "ada\n@example.com"],
    ["LF in the domain", "ada@exam\nple.com"],
    ["a tab", "ada\t@example.com"],
    ["NUL", "ada\u0000@example.com"],
    ["DEL", "ada\u007f@example.com"],
    ["a C1 control", "ada\u0085@example.com"],
    ["a zero-width space", "ada\u200b@example.com"],
    ["a zero-width joiner", "ada\u200d@example.com"],
    ["a zero-width no-break space", "a\ufeffda@example.com"],
    ["a zero-width no-break space before it", "\ufeffada@example.com"],
    ["a zero-width no-break space after it", "ada@example.com\ufeff"],
    ["a word joiner in the domain", "ada@exam\u2060ple.com"],
    ["a soft hyphen", "a\u00adda@example.com"],
    ["a right-to-left override", "ada\u202e@example.com"],
    ["a line separator", "ada\u2028@example.com"],
    ["a combining grapheme joiner", "a\u034fda@example.com"],
    ["a Hangul filler", "ada\u3164@example.com"],
    ["a variation selector", "ada\ufe0f@example.com"],
    ["a lone surrogate", "ada\ud83c@example.com"],
    ["angle brackets", "<ada@example.com>"],
    ["a display name", "Ada <ada@example.com>"],
    ["a comment", "ada(comment)@example.com"],
    ["a comma", "ada,eve@example.com"],
    ["a semicolon", "ada@example.com;eve"],
    ["a quote", '"ada"@example.com'],
    ["a backslash", "ada\\@example.com"],
    ["a dot at the beginning", ".ada@example.com"],
    ["a dot at the end", "ada.@example.com"],
    ["two dots", "ada..l@example.com"],
    ["an address literal", "ada@[127.0.0.1]"],
    ["an IPv4 address", "ada@127.0.0.1"],
    ["a short IPv4 address", "ada@127.1"],
    ["a port", "ada@example.com:25"],
    ["a path", "ada@example.com/x"],
    ["an underscore", "ada@exa_mple.com"],
    ["an empty label", "ada@example..com"],
    ["a final dot", "ada@example.com."],
    ["a leading dot", "ada@.example.com"],
    ["a leading hyphen", "ada@-example.com"],
    ["a trailing hyphen", "ada@example-.com"],
    ["broken punycode", "ada@xn--ü.example"],
    ["a percent sign in the domain", "ada@exam%70le.com"],
    ["65 characters before the @", `${"a".repeat(65)}@example.com`],
    ["a label of 64 characters", `ada@${label(64)}.com`],
    ["255 characters", `ada@${`${label(49)}.`.repeat(5)}x.com`],
  ])("%s", (_, input) => {
    expect(canonicalEmail(input)).toBeNull();
  });

  it("is accepted at the exact maximum lengths", () => {
    const longest = `${"a".repeat(64)}@${label(63)}.${label(63)}.${label(57)}.com`;
    expect(longest).toHaveLength(254);
    expect(canonicalEmail(longest)).toBe(longest);
    expect(canonicalEmail(`a${longest}`)).toBeNull();
    expect(canonicalEmail(`ada@${label(63)}.com`)).not.toBeNull();
  });

  it("is measured in its ASCII form", () => {
    // Each of these labels is much longer in ASCII.
    const domain = `${"ü".repeat(45)}.`.repeat(5);
    expect(canonicalEmail(`ada@${domain}com`)).toBeNull();
  });

  it("is detected quickly at any length", () => {
    expect(canonicalEmail(`${"@".repeat(100_000)}a`)).toBeNull();
    expect(canonicalEmail(`ada@${"a.".repeat(100_000)}com`)).toBeNull();
  });
});

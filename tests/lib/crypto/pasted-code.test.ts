import { describe, expect, it } from "vitest";
import { normalizePastedCode, normalizePastedToken } from "../../../lib/crypto/pasted-code.js";

describe("a pasted code", () => {
  it.each([
    ["white space around and inside", "\t AB12 CD34 \r\n", "AB12CD34"],
    ["a no-break space and an ideographic space", "AB12\u00a0CD34\u3000", "AB12CD34"],
    ["a hyphen and a trailing full stop", "  AB12-CD34. ", "AB12CD34"],
    ["an en dash, an em dash and a minus sign", "A\u2013B\u201412\u2212CD34", "AB12CD34"],
    ["a non-breaking hyphen and a small hyphen", "AB\u201112\ufe63CD34", "AB12CD34"],
    ["a soft hyphen", "AB12\u00adCD34", "AB12CD34"],
    ["zero-width characters", "\ufeffAB\u200b12\u200c\u200dCD\u206034\ufe0f", "AB12CD34"],
    ["bidi marks around it", "\u2068AB12CD34\u2069\u200e", "AB12CD34"],
    ["punctuation at the end", "AB12CD34\u3002”)", "AB12CD34"],
    ["white space before the last punctuation", "AB12CD34 !\u200b", "AB12CD34"],
    ["full-width characters", "ＡＢ１２－ＣＤ３４．", "AB12CD34"],
    ["circled digits", "①②③④⑤⑥", "123456"],
    ["Arabic digits", "١٢٣٤٥٦", "123456"],
    ["Persian digits", "۱۲۳ ۴۵۶", "123456"],
    ["Devanagari digits", "००५९२४", "005924"],
    ["mathematical digits", "𝟘𝟙𝟚𝟳𝟴𝟵", "012789"],
    ["the second set of Myanmar digits", "\u{116da}\u{116e3}\u{116d0}", "090"],
  ])("is read with %s", (_, pasted, code) => {
    expect(normalizePastedCode(pasted)).toBe(code);
  });

  it("keeps letters, case and punctuation inside it", () => {
    expect(normalizePastedCode("aB1.2/cD34")).toBe("aB1.2/cD34");
  });

  it("reads each decimal digit of Unicode as one ASCII digit, the ten of a script in order", () => {
    let expected = 0;
    for (let code = 0; code <= 0x10_ffff; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const character = String.fromCodePoint(code);
      if (!/\p{Nd}/u.test(character)) continue;
      expect(normalizePastedCode(character)).toBe(String(expected % 10));
      expected += 1;
    }
  });
});

describe("a pasted token", () => {
  it("keeps its dashes, as hyphens", () => {
    const pasted = " ue1.5f0e-7c1a\u2011AB\u200b_\r\n cd\u00ad. ";
    expect(normalizePastedToken(pasted)).toBe("ue1.5f0e-7c1a-AB_cd");
  });
});

import { describe, expect, it } from "vitest";
import { encodeCrockford, normalizeCrockford } from "../../../lib/crypto/crockford.js";

describe("Crockford's base 32", () => {
  it("encodes five bits per character", () => {
    expect(encodeCrockford(new Uint8Array(5))).toBe("00000000");
    expect(encodeCrockford(new Uint8Array(5).fill(255))).toBe("ZZZZZZZZ");
    expect(encodeCrockford(Buffer.from("0000000001", "hex"))).toBe("00000001");
    expect(encodeCrockford(Buffer.from("00443214c74254b635cf", "hex"))).toBe("0123456789ABCDEF");
  });

  it("decodes it with spaces, hyphens and look-alike characters", () => {
    expect(normalizeCrockford("o1il-23 ab")).toBe("011123AB");
  });
});

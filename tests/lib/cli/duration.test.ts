import { afterEach, describe, expect, it, vi } from "vitest";
import { sinceOf } from "../../../lib/cli/duration.js";

afterEach(() => void vi.useRealTimers());

describe("--since", () => {
  it.each([
    ["2026-01-31T08:00:00+02:00", "2026-01-31T06:00:00.000Z"],
    ["2026-01-31", "2026-01-31T00:00:00.000Z"],
    ["12h", "2026-01-31T00:00:00.000Z"],
    ["99999999d", "1970-01-01T00:00:00.000Z"],
    [undefined, undefined],
  ])("is sent as a time: %s", (since, sent) => {
    vi.useFakeTimers({ now: Date.parse("2026-01-31T12:00:00Z"), toFake: ["Date"] });
    expect(sinceOf({ since })).toBe(sent);
  });
});

import { describe, expect, it } from "vitest";
import { localDateOf } from "../../../lib/learning/local-date.js";
import { localDateAt } from "../../support/learning-rules/days.js";

const zones = (timeZone: string, previousTimeZone: string | null = null, from?: string) => ({
  timeZone,
  previousTimeZone,
  timeZoneFrom: from === undefined ? null : new Date(from),
});
const dateOf = (zone: string, at: string) => localDateOf(zones(zone), new Date(at)).date;

describe("the local date", () => {
  it("is that of the learner's zone", () => {
    expect(dateOf("UTC", "2026-03-01T23:59:59.999Z")).toBe("2026-03-01");
    expect(dateOf("Europe/Madrid", "2026-03-01T23:30:00Z")).toBe("2026-03-02");
    expect(dateOf("America/Los_Angeles", "2026-03-01T07:59:00Z")).toBe("2026-02-28");
    expect(dateOf("Pacific/Kiritimati", "2026-12-31T10:00:00Z")).toBe("2027-01-01");
  });

  it("changes at the first moment of a day that has no midnight", () => {
    // Cairo moves from 00:00 to 01:00, which is 22:00 UTC.
    expect(dateOf("Africa/Cairo", "2026-04-23T21:59:59Z")).toBe("2026-04-23");
    expect(dateOf("Africa/Cairo", "2026-04-23T22:00:00Z")).toBe("2026-04-24");
    expect(dateOf("America/Havana", "2026-03-08T04:59:59Z")).toBe("2026-03-07");
    expect(dateOf("America/Havana", "2026-03-08T05:00:00Z")).toBe("2026-03-08");
  });

  it("is that of the former zone until the new one is in force", () => {
    const changed = zones("Asia/Tokyo", "America/New_York", "2026-05-05T04:00:00Z");
    expect(localDateOf(changed, new Date("2026-05-05T03:59:59Z"))).toEqual({
      zone: "America/New_York",
      date: "2026-05-04",
    });
    expect(localDateOf(changed, new Date("2026-05-05T04:00:00Z"))).toEqual({
      zone: "Asia/Tokyo",
      date: "2026-05-05",
    });
  });

  it("agrees with the rules in each zone around a year's end", () => {
    for (const zone of Intl.supportedValuesOf("timeZone")) {
      for (let hour = 0; hour < 48; hour += 5) {
        const at = new Date(Date.UTC(2026, 11, 31, hour, 59));
        expect(localDateOf(zones(zone), at).date, zone).toBe(
          localDateAt([{ zone, effectiveFromMs: 0 }], at.getTime()),
        );
      }
    }
  });
});

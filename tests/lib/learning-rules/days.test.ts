import { describe, expect, it } from "vitest";
import {
  correctedInstantMs,
  datesOfWork,
  isLived,
  isoWeekOf,
  localDateAt,
  mondayOf,
  nextMidnightMs,
  notLivedBetween,
  withZoneChange,
  type ZoneRow,
  zoneAt,
} from "../../support/learning-rules/days.js";

const at = (iso: string): number => Date.parse(iso);
const iso = (instantMs: number): string => new Date(instantMs).toISOString();
const always = (zone: string): ZoneRow[] => [{ zone, effectiveFromMs: 0 }];

describe("zones", () => {
  it("starts a new zone at the old zone's next midnight", () => {
    const history = withZoneChange(
      always("Europe/Berlin"),
      "Asia/Tokyo",
      at("2026-07-01T10:00:00Z"),
    );
    expect(iso(history[1]?.effectiveFromMs ?? 0)).toBe("2026-07-01T22:00:00.000Z");
    expect(zoneAt(history, at("2026-07-01T21:59:59.999Z"))).toBe("Europe/Berlin");
    expect(zoneAt(history, at("2026-07-01T22:00:00Z"))).toBe("Asia/Tokyo");
    expect(localDateAt(history, at("2026-07-01T21:59:59.999Z"))).toBe("2026-07-01");
    expect(localDateAt(history, at("2026-07-01T22:00:00Z"))).toBe("2026-07-02");
  });

  it("reads the zone history in any order; of equal rows the later wins", () => {
    const history = [
      { zone: "Asia/Tokyo", effectiveFromMs: 2000 },
      { zone: "UTC", effectiveFromMs: 0 },
      { zone: "Africa/Cairo", effectiveFromMs: 2000 },
    ];
    expect([0, 1999, 2000].map((instantMs) => zoneAt(history, instantMs))).toEqual([
      "UTC",
      "UTC",
      "Africa/Cairo",
    ]);
  });

  it("takes 01:00 where midnight does not exist", () => {
    expect(iso(nextMidnightMs("Africa/Cairo", at("2026-04-23T10:00:00Z")))).toBe(
      "2026-04-23T22:00:00.000Z",
    );
    expect(iso(nextMidnightMs("America/Havana", at("2026-03-07T20:00:00Z")))).toBe(
      "2026-03-08T05:00:00.000Z",
    );
    expect(isLived(always("Africa/Cairo"), "2026-04-24")).toBe(true);
    expect(isLived(always("America/Havana"), "2026-03-08")).toBe(true);
  });

  it("gives the midnight after this one at midnight itself", () => {
    expect(iso(nextMidnightMs("UTC", at("2026-05-01T00:00:00Z")))).toBe("2026-05-02T00:00:00.000Z");
  });

  it("skips one date from Honolulu to Kiritimati", () => {
    // 12:00 on 1 May in Honolulu; its midnight is 10:00 UTC, which is 00:00 on 3 May in Kiritimati.
    const history = withZoneChange(
      always("Pacific/Honolulu"),
      "Pacific/Kiritimati",
      at("2026-05-01T22:00:00Z"),
    );
    expect(localDateAt(history, at("2026-05-02T09:59:59Z"))).toBe("2026-05-01");
    expect(localDateAt(history, at("2026-05-02T10:00:00Z"))).toBe("2026-05-03");
    expect(notLivedBetween(history, "2026-04-28", "2026-05-06")).toEqual(["2026-05-02"]);
  });

  it("lives a date twice as long from Kiritimati to Honolulu", () => {
    const history = withZoneChange(
      always("Pacific/Kiritimati"),
      "Pacific/Honolulu",
      at("2026-05-01T00:00:00Z"),
    );
    expect(localDateAt(history, at("2026-05-01T09:59:59Z"))).toBe("2026-05-01");
    expect(localDateAt(history, at("2026-05-01T10:00:00Z"))).toBe("2026-05-01");
    expect(localDateAt(history, at("2026-05-02T10:00:00Z"))).toBe("2026-05-02");
    expect(notLivedBetween(history, "2026-04-28", "2026-05-06")).toEqual([]);
  });

  it("knows a date that a zone itself skipped", () => {
    expect(notLivedBetween(always("Pacific/Apia"), "2011-12-28", "2012-01-01")).toEqual([
      "2011-12-30",
    ]);
  });
});

describe("ISO weeks", () => {
  it("runs from Monday to Sunday and belongs to the year of its Thursday", () => {
    expect(mondayOf("2026-05-03")).toBe("2026-04-27");
    expect(mondayOf("2026-04-27")).toBe("2026-04-27");
    expect(isoWeekOf("2025-12-29")).toBe("2026-W01");
    expect(isoWeekOf("2027-01-03")).toBe("2026-W53");
    expect(isoWeekOf("2027-01-04")).toBe("2027-W01");
  });
});

describe("corrected instants", () => {
  const receivedAtMs = at("2026-05-10T12:00:00Z");
  const timing = { sentAtMs: receivedAtMs, receivedAtMs, notBeforeMs: null };

  it("removes the error of the device's clock", () => {
    const occurredAtMs = at("2026-05-10T12:00:00Z");
    const sentAtMs = at("2026-05-10T13:00:00Z");
    expect(iso(correctedInstantMs({ ...timing, occurredAtMs, sentAtMs }))).toBe(
      "2026-05-10T11:00:00.000Z",
    );
  });

  it("is never after the receipt", () => {
    const occurredAtMs = at("2026-05-11T00:00:00Z");
    expect(correctedInstantMs({ ...timing, occurredAtMs })).toBe(receivedAtMs);
  });

  it("is never before the attempt's start or the card's creation", () => {
    const occurredAtMs = at("2026-05-01T00:00:00Z");
    const notBeforeMs = at("2026-05-02T00:00:00Z");
    expect(correctedInstantMs({ ...timing, occurredAtMs, notBeforeMs })).toBe(notBeforeMs);
  });

  it("is at most 48 h ago without an attempt or a card", () => {
    const occurredAtMs = at("2026-05-01T00:00:00Z");
    expect(iso(correctedInstantMs({ ...timing, occurredAtMs }))).toBe("2026-05-08T12:00:00.000Z");
  });

  it("calls work late after 48 h, not at 48 h", () => {
    const history = always("UTC");
    const inTime = datesOfWork(history, at("2026-05-08T12:00:00Z"), receivedAtMs);
    expect(inTime).toEqual({ workedOn: "2026-05-08", receivedOn: "2026-05-10", isLate: false });
    const late = datesOfWork(history, at("2026-05-08T11:59:59.999Z"), receivedAtMs);
    expect(late.isLate).toBe(true);
  });
});

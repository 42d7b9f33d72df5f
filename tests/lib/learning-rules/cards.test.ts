import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defined, review } from "../../support/learning-rules/build.js";
import {
  type CardReview,
  cardIdOf,
  cardStatus,
  checkUndo,
  payingReviews,
  ratingOf,
  retentionOf,
  scheduleCard,
} from "../../support/learning-rules/cards.js";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const start = Date.parse("2026-05-01T10:00:00Z");

const answer = (
  id: string,
  afterMs: number,
  rating: CardReview["rating"],
  zone = "UTC",
): CardReview => ({ reviewId: id, reviewedAtMs: start + afterMs, zone, rating, retention: 0.9 });

describe("card ids and ratings", () => {
  it("is the UUIDv5 of Python's uuid5 for the same name", () => {
    expect(cardIdOf("6ba7b811-9dad-11d1-80b4-00c04fd430c8", "w")).toBe(
      "f1985a4e-beb5-500a-859c-6d9e2569878d",
    );
  });

  it("maps verdicts to ratings; easy counts only with right", () => {
    expect(
      (["wrong", "typo", "accent", "right"] as const).map((one) => ratingOf(one, false)),
    ).toEqual([1, 2, 2, 3]);
    expect(
      (["wrong", "typo", "accent", "right"] as const).map((one) => ratingOf(one, true)),
    ).toEqual([1, 2, 2, 4]);
  });

  it("turns easeAdjPct into the retention of the page", () => {
    expect(retentionOf(-20).toFixed(4)).toBe("0.9146");
    expect(retentionOf(0)).toBe(0.9);
    expect(retentionOf(20).toFixed(4)).toBe("0.8870");
  });
});

describe("the schedule of a card", () => {
  it("is new without reviews", () => {
    expect(scheduleCard("c", [])).toMatchObject({ state: "new", dueDate: null, dueAtMs: null });
  });

  it("steps 1 min (Again), 6 min (Hard), 10 min (Good) from New, as an instant", () => {
    const dueAfterMinutes = (rating: CardReview["rating"]) =>
      ((scheduleCard("c", [answer("1", 0, rating)]).dueAtMs ?? 0) - start) / minuteMs;
    expect([1, 2, 3].map((rating) => dueAfterMinutes(rating as 1 | 2 | 3))).toEqual([1, 6, 10]);
  });

  it("goes to Review after Good and Good; 2.3065 days of stability are 2 days without fuzz", () => {
    const schedule = scheduleCard("c", [answer("1", 0, 3), answer("2", 10 * minuteMs, 3)]);
    expect(schedule).toMatchObject({
      state: "review",
      stability: 2.3065,
      dueDate: "2026-05-03",
      dueAtMs: null,
      graduatedBy: "2",
    });
  });

  it("fuzzes Easy from New by the card's id: 8 days ± 1.775", () => {
    // 1 + 0.15 · (7 − 2.5) + 0.1 · (8 − 7) = 1.775, so 6 to 10 days.
    const days = new Set<string | null>();
    for (let n = 0; n < 50; n += 1) {
      days.add(scheduleCard(`card-${n}`, [answer("1", 0, 4)]).dueDate);
    }
    expect([...days].sort()).toEqual([
      "2026-05-07",
      "2026-05-08",
      "2026-05-09",
      "2026-05-10",
      "2026-05-11",
    ]);
    const dueDate = scheduleCard("c", [answer("1", 0, 4)]).dueDate;
    expect(scheduleCard("c", [answer("other", 0, 4)]).dueDate).toBe(dueDate);
  });

  it("counts days on the learner's clock, not on UTC's", () => {
    // 23:30 and 00:30 in Tokyo: one day later there, the same day in UTC.
    const zone = "Asia/Tokyo";
    const at = (iso: string) => Date.parse(iso) - start;
    const log = [
      answer("1", at("2026-05-01T14:30:00Z"), 3, zone),
      answer("2", at("2026-05-01T15:30:00Z"), 3, zone),
    ];
    expect(scheduleCard("c", log).reviews[1]?.deltaDays).toBe(1);
    expect(
      scheduleCard(
        "c",
        log.map((row) => ({ ...row, zone: "UTC" })),
      ).reviews[1]?.deltaDays,
    ).toBe(0);
  });

  it("feeds no earlier clock than before when the zone moves west, and keeps real instants", () => {
    const log = [
      answer("1", 0, 3, "Pacific/Kiritimati"),
      answer("2", hourMs, 1, "Pacific/Honolulu"),
    ];
    const schedule = scheduleCard("c", log);
    // 10:00Z is 00:00 on 2 May in Kiritimati; 11:00Z is 01:00 on 1 May in Honolulu.
    expect(schedule.reviews.map((row) => new Date(row.fedAtMs).toISOString())).toEqual([
      "2026-05-02T00:00:00.000Z",
      "2026-05-02T00:00:00.000Z",
    ]);
    expect(schedule.dueAtMs).toBe(start + hourMs + minuteMs);
  });

  it("gives a due date, unmoved by a zone, from the fed clock", () => {
    const log = [
      answer("1", 0, 3, "Pacific/Kiritimati"),
      answer("2", 10 * minuteMs, 3, "Pacific/Kiritimati"),
    ];
    expect(scheduleCard("c", log).dueDate).toBe("2026-05-04");
  });

  it("suspends a card as a leech at exactly the 8th lapse, until the learner resumes it", () => {
    const log: CardReview[] = [answer("00", 0, 4)];
    for (let lapse = 1; lapse <= 9; lapse += 1) {
      log.push(answer(`${lapse}0`, lapse * 20 * dayMs, 1));
      log.push(answer(`${lapse}1`, lapse * 20 * dayMs + 10 * minuteMs, 3));
    }
    const untilLapse = (lapse: number) => log.slice(0, 2 * lapse + 1);
    const status = (rows: CardReview[], ops: Parameters<typeof cardStatus>[2] = []) =>
      cardStatus(scheduleCard("c", rows), rows, ops);
    expect(scheduleCard("c", log)).toMatchObject({ lapses: 9, leechedBy: "80" });
    expect(status(untilLapse(7))).toBe("active");
    expect(status(untilLapse(8))).toBe("suspended");
    const resumed = { opId: "o", occurredAtMs: start + 165 * dayMs, state: "active" } as const;
    expect(status(untilLapse(8), [resumed])).toBe("active");
    expect(status(log, [resumed])).toBe("active");
  });
});

describe("undo", () => {
  const log = [answer("1", 0, 3), answer("2", hourMs, 3)];

  it("takes back the last review within ten minutes", () => {
    const undo = (id: string, afterMs: number, undone: string[] = []) =>
      checkUndo(log, undone, id, start + afterMs);
    expect(undo("2", hourMs + 10 * minuteMs)).toBe("undone");
    expect(undo("2", hourMs + 10 * minuteMs + 1)).toBe("too late");
    expect(undo("1", hourMs)).toBe("not the last review");
    expect(undo("2", 2 * hourMs, ["2"])).toBe("no-op");
    expect(undo("1", 5 * minuteMs, ["2"])).toBe("undone");
    expect(undo("3", 0)).toBe("unknown review");
  });
});

describe("reviews that pay", () => {
  it("pays the first received of a card and booked date", () => {
    const reviews = [
      review("2026-05-05", 3, "a"),
      review("2026-05-01", 2, "a", { receivedOn: "2026-05-05" }),
      review("2026-05-04", 4, "a", { receivedOn: "2026-05-05" }),
    ];
    expect(payingReviews(reviews).map((one) => one.receiptOrder)).toEqual([2, 4]);
  });
});

describe("properties of a schedule", () => {
  const numRuns = 100;
  const zones = ["UTC", "Asia/Tokyo", "Pacific/Honolulu", "Pacific/Kiritimati", "Africa/Cairo"];
  const logs = fc
    .array(
      fc.record({
        gapMs: fc.oneof(
          fc.integer({ min: 0, max: 30 * minuteMs }),
          fc.integer({ min: 0, max: 40 * dayMs }),
        ),
        rating: fc.constantFrom(1, 2, 3, 4) as fc.Arbitrary<CardReview["rating"]>,
        zone: fc.constantFrom(...zones),
        easeAdjPct: fc.integer({ min: -20, max: 20 }),
      }),
      { minLength: 1, maxLength: 25 },
    )
    .map((rows) => {
      let reviewedAtMs = start;
      return rows.map(({ gapMs, rating, zone, easeAdjPct }, index): CardReview => {
        reviewedAtMs += gapMs;
        const retention = retentionOf(easeAdjPct);
        return { reviewId: String(index).padStart(3, "0"), reviewedAtMs, zone, rating, retention };
      });
    });
  const shuffledLogs = logs.chain((log) =>
    fc.shuffledSubarray(log, { minLength: log.length }).map((shuffled) => ({ log, shuffled })),
  );

  it("has no order of arrival, and undo = never happened", () => {
    fc.assert(
      fc.property(shuffledLogs, ({ log, shuffled }) => {
        expect(scheduleCard("c", shuffled)).toEqual(scheduleCard("c", log));
        const undone = defined(shuffled[0]);
        expect(scheduleCard("c", log, [undone.reviewId])).toEqual(
          scheduleCard(
            "c",
            log.filter((row) => row !== undone),
          ),
        );
      }),
      { numRuns },
    );
  });

  it("keeps 1 ≤ D ≤ 10, lowers stability only with Again, and is due later", () => {
    fc.assert(
      fc.property(logs, (log) => {
        const { reviews, dueAtMs, dueDate } = scheduleCard("c", log);
        for (const [index, row] of reviews.entries()) {
          expect(row.difficultyAfter).toBeGreaterThanOrEqual(1);
          expect(row.difficultyAfter).toBeLessThanOrEqual(10);
          if (row.stateBefore === "new") continue;
          const change = row.stabilityAfter - row.stabilityBefore;
          if (log[index]?.rating === 1) expect(change).toBeLessThanOrEqual(0);
          else expect(change).toBeGreaterThan(-1e-6);
        }
        const last = defined(reviews.at(-1));
        const isDueLater =
          dueDate === null
            ? defined(dueAtMs) > defined(log.at(-1)).reviewedAtMs
            : dueDate > new Date(last.fedAtMs).toISOString().slice(0, 10);
        expect(isDueLater).toBe(true);
      }),
      { numRuns },
    );
  });

  it("orders the intervals Again ≤ Hard ≤ Good ≤ Easy", () => {
    fc.assert(
      fc.property(logs, (log) => {
        const last = defined(log.at(-1));
        const intervalsMs = ([1, 2, 3, 4] as const).map((rating) => {
          const schedule = scheduleCard("c", [...log.slice(0, -1), { ...last, rating }]);
          if (schedule.dueAtMs !== null) return schedule.dueAtMs - last.reviewedAtMs;
          return defined(schedule.reviews.at(-1)).scheduledDays * dayMs;
        });
        expect([...intervalsMs].sort((a, b) => a - b)).toEqual(intervalsMs);
      }),
      { numRuns },
    );
  });
});

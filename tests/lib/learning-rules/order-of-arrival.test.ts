import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { facts } from "../../support/learning-rules/build.js";
import { addDays, datesOfWork } from "../../support/learning-rules/days.js";
import type {
  ChatMessage,
  Completion,
  Facts,
  Review,
  Work,
} from "../../support/learning-rules/facts.js";
import { type LedgerRow, rowKey } from "../../support/learning-rules/ledger-row.js";
import { foldStreak } from "../../support/learning-rules/streak.js";
import { appendOnlyLedger, ledgerOf, standingOf } from "../../support/learning-rules/xp.js";

const hourMs = 3_600_000;
const firstMs = Date.parse("2026-05-01T00:00:00Z");
const history = [{ zone: "America/New_York", effectiveFromMs: 0 }];

interface Event {
  kind: "completion" | "review" | "chat";
  atMs: number;
  delayMs: number;
  /** Which lesson or card. */
  pick: number;
  rating: 1 | 2 | 3 | 4;
  isPerfect: boolean;
}

const events = fc.array(
  fc.record({
    kind: fc.constantFrom("completion", "review", "chat") as fc.Arbitrary<Event["kind"]>,
    atMs: fc.integer({ min: 0, max: 24 * 14 }).map((hours) => firstMs + hours * hourMs),
    delayMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 48 * hourMs })),
    pick: fc.nat({ max: 8 }),
    rating: fc.constantFrom(1, 2, 3, 4) as fc.Arbitrary<Event["rating"]>,
    isPerfect: fc.boolean(),
  }),
  { maxLength: 60 },
);

/** Facts in the order in which they were received; chat is never queued. */
function factsOf(list: readonly Event[]): Facts {
  const received = list
    .map((event) => ({ ...event, delayMs: event.kind === "chat" ? 0 : event.delayMs }))
    .sort((a, b) => a.atMs + a.delayMs - (b.atMs + b.delayMs));
  const completions: Completion[] = [];
  const reviews: Review[] = [];
  const chatMessages: ChatMessage[] = [];
  for (const [receiptOrder, { kind, atMs, delayMs, ...event }] of received.entries()) {
    const receivedAtMs = atMs + delayMs;
    const work: Work = {
      receiptOrder,
      receivedAtMs,
      ...datesOfWork(history, atMs, receivedAtMs),
    };
    if (kind === "chat") chatMessages.push({ ...work, messageId: `m${receiptOrder}` });
    if (kind === "completion") {
      completions.push({
        ...work,
        attemptId: `x${receiptOrder}`,
        lessonId: `l${event.pick}`,
        firstTryRights: event.pick,
        xpReward: 20,
        perfectBonus: 10,
        isPerfect: event.isPerfect,
      });
    }
    if (kind === "review") {
      reviews.push({
        ...work,
        reviewId: `r${String(receiptOrder).padStart(4, "0")}`,
        cardId: `c${event.pick}`,
        reviewedAtMs: atMs,
        zone: "America/New_York",
        rating: event.rating,
        verdict: event.rating === 1 ? "wrong" : "right",
        retention: 0.9,
      });
    }
  }
  return facts({ completions, reviews, chatMessages });
}

const payments = (rows: readonly LedgerRow[]): string[] =>
  rows.map((row) => `${rowKey(row)} ${row.xp}`).sort();

describe("the order of arrival within 48 h", () => {
  it("changes no payment: the append-only ledger pays what the set of facts pays", () => {
    fc.assert(
      fc.property(events, (list) => {
        const some = factsOf(list);
        expect(payments(appendOnlyLedger(some))).toEqual(payments(ledgerOf(some)));
      }),
      { numRuns: 50 },
    );
  });

  it("books an append-only row never earlier than the set of facts says", () => {
    fc.assert(
      fc.property(events, (list) => {
        const some = factsOf(list);
        const dates = new Map(ledgerOf(some).map((row) => [rowKey(row), row.date]));
        for (const row of appendOnlyLedger(some)) {
          expect(row.date >= (dates.get(rowKey(row)) ?? "")).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("leaves streak and freezes to the set of facts, and a repeat pays nothing", () => {
    fc.assert(
      fc.property(events, (list) => {
        const some = factsOf(list);
        const today = addDays("2026-05-01", 20);
        const reversed = facts({
          completions: [...some.completions].reverse(),
          reviews: [...some.reviews].reverse(),
          chatMessages: [...some.chatMessages].reverse(),
        });
        expect(foldStreak(reversed, today)).toEqual(foldStreak(some, today));
        expect(standingOf(ledgerOf(reversed))).toEqual(standingOf(ledgerOf(some)));
      }),
      { numRuns: 50 },
    );
  });
});

import { lateAfterMs } from "./days.js";
import type { FirstTry, LocalDate, Review, Work } from "./facts.js";
import { type ChatMessage, type Completion, type Facts, noFacts } from "./facts.js";

/** Noon UTC of a date: a plain instant for tests whose subject is not the time. */
export function noon(date: LocalDate): number {
  return Date.parse(`${date}T12:00:00Z`);
}

function workOn(date: LocalDate, receiptOrder: number, receivedOn: LocalDate): Work {
  const receivedAtMs = noon(receivedOn) + receiptOrder;
  const isLate = noon(receivedOn) - noon(date) > lateAfterMs;
  return { receiptOrder, receivedAtMs, workedOn: date, receivedOn, isLate };
}

export function lesson(
  date: LocalDate,
  receiptOrder: number,
  more: Partial<Completion> = {},
): Completion {
  return {
    ...workOn(date, receiptOrder, more.receivedOn ?? date),
    attemptId: `attempt-${receiptOrder}`,
    lessonId: `lesson-${receiptOrder}`,
    firstTryRights: 0,
    xpReward: 20,
    perfectBonus: 10,
    isPerfect: false,
    ...more,
  };
}

export function chat(
  date: LocalDate,
  receiptOrder: number,
  more: Partial<ChatMessage> = {},
): ChatMessage {
  return {
    ...workOn(date, receiptOrder, more.receivedOn ?? date),
    messageId: `message-${receiptOrder}`,
    ...more,
  };
}

export function review(
  date: LocalDate,
  receiptOrder: number,
  cardId: string,
  more: Partial<Review> = {},
): Review {
  return {
    ...workOn(date, receiptOrder, more.receivedOn ?? date),
    reviewId: `review-${String(receiptOrder).padStart(6, "0")}`,
    cardId,
    reviewedAtMs: noon(date) + receiptOrder,
    zone: "UTC",
    rating: 3,
    verdict: "right",
    retention: 0.9,
    ...more,
  };
}

export function firstTries(rights: readonly boolean[], fromOrder: number): FirstTry[] {
  return rights.map((isRight, index) => ({ receiptOrder: fromOrder + index / 1000, isRight }));
}

export function facts(some: Partial<Facts>): Facts {
  return { ...noFacts, ...some };
}

export function defined<T>(value: T | null | undefined): T {
  if (value === undefined || value === null) throw new Error("A test expected a value.");
  return value;
}

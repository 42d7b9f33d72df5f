import { createHash } from "node:crypto";
import {
  type Card,
  createEmptyCard,
  default_w,
  forgetting_curve,
  fsrs,
  GenSeedStrategyWithCardId,
  type Grade,
  State,
  StrategyMode,
} from "ts-fsrs";
import { wallClockAsUtcMs } from "./days.js";
import { bookedOn, type LocalDate, type Review, type Verdict } from "./facts.js";
import { groupBy } from "./group-by.js";

/** The columns of a review row that a replay reads. */
export type CardReview = Pick<
  Review,
  "reviewId" | "reviewedAtMs" | "zone" | "rating" | "retention" | "parameters"
>;

type CardStateName = "new" | "learning" | "review" | "relearning";

/** The derived columns of one review row. */
interface DerivedReview {
  reviewId: string;
  fedAtMs: number;
  deltaDays: number;
  stateBefore: CardStateName;
  stateAfter: CardStateName;
  stabilityBefore: number;
  stabilityAfter: number;
  difficultyBefore: number;
  difficultyAfter: number;
  scheduledDays: number;
  lapsesAfter: number;
}

export interface CardSchedule {
  cardId: string;
  state: CardStateName;
  stability: number;
  difficulty: number;
  reps: number;
  lapses: number;
  /** Set in state review only. */
  dueDate: LocalDate | null;
  /** Set in states learning and relearning only. */
  dueAtMs: number | null;
  /** The review that was the 8th lapse. */
  leechedBy: string | null;
  /** The review that first brought the card to state review. */
  graduatedBy: string | null;
  reviews: DerivedReview[];
}

const leechLapses = 8;
const undoWithinMs = 10 * 60_000;

/**
 * "Its id is UUIDv5(word id + direction)". The page gives neither the namespace nor the joint;
 * both are parameters, and the joint used here is a colon.
 */
export function cardIdOf(
  namespace: string,
  wordId: string,
  direction = "recall",
  nameOf = (word: string, way: string): string => `${word}:${way}`,
): string {
  return uuidV5(namespace, nameOf(wordId, direction));
}

/** RFC 9562, 5.5. */
function uuidV5(namespace: string, name: string): string {
  const namespaceBytes = Buffer.from(namespace.replaceAll("-", ""), "hex");
  const hash = createHash("sha1").update(namespaceBytes).update(name, "utf8").digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  const groups: [number, number][] = [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ];
  return groups.map(([from, to]) => hex.slice(from, to)).join("-");
}

/** "wrong → Again, typo/accent → Hard, right → Good; `easy` only with right". */
export function ratingOf(verdict: Verdict, isEasy: boolean): 1 | 2 | 3 | 4 {
  if (verdict === "wrong") return 1;
  if (verdict === "right") return isEasy ? 4 : 3;
  return 2;
}

/**
 * "Retention = forgettingCurve(1 + easeAdjPct/100) in units of stability (−20 → .9146, 20 →
 * .8870)".
 */
export function retentionOf(easeAdjPct: number, parameters: readonly number[] = default_w): number {
  return forgetting_curve([...parameters], 1 + easeAdjPct / 100, 1);
}

/**
 * The schedule of one card from its complete log. "Reviews are sorted by (reviewedAt, id); the
 * time fed is max(local wall clock encoded as UTC, last time fed)"; "Replay uses each row's own
 * retention, parameters and zone"; "Fuzz on, seeded by card id"; "undo = never happened".
 */
export function scheduleCard(
  cardId: string,
  log: readonly CardReview[],
  undoneReviewIds: readonly string[] = [],
): CardSchedule {
  const rows = log.filter((row) => !undoneReviewIds.includes(row.reviewId)).sort(byTimeThenId);
  let card: Card & { id: string } = { ...createEmptyCard(new Date(0)), id: cardId };
  let lastFedMs = Number.NEGATIVE_INFINITY;
  let dueDate: LocalDate | null = null;
  let dueAtMs: number | null = null;
  const reviews: DerivedReview[] = [];

  for (const row of rows) {
    const fedAtMs = Math.max(wallClockAsUtcMs(row.zone, row.reviewedAtMs), lastFedMs);
    const { card: next, log: entry } = schedulerFor(row).next(
      card,
      new Date(fedAtMs),
      row.rating as Grade,
    );
    // "A card in Review stores `due_date`; learning and relearning cards store `due_at` = the
    // review's instant + step, never decoded from a wall clock."
    const isReview = next.state === State.Review;
    dueDate = isReview ? next.due.toISOString().slice(0, 10) : null;
    dueAtMs = isReview ? null : row.reviewedAtMs + (next.due.getTime() - fedAtMs);
    reviews.push({
      reviewId: row.reviewId,
      fedAtMs,
      deltaDays: entry.elapsed_days,
      stateBefore: stateName(card.state),
      stateAfter: stateName(next.state),
      stabilityBefore: card.stability,
      stabilityAfter: next.stability,
      difficultyBefore: card.difficulty,
      difficultyAfter: next.difficulty,
      scheduledDays: next.scheduled_days,
      lapsesAfter: next.lapses,
    });
    card = { ...next, id: cardId };
    lastFedMs = fedAtMs;
  }

  const firstWhere = (test: (review: DerivedReview) => boolean): string | null =>
    reviews.find(test)?.reviewId ?? null;
  return {
    cardId,
    state: stateName(card.state),
    stability: card.stability,
    difficulty: card.difficulty,
    reps: card.reps,
    lapses: card.lapses,
    dueDate,
    dueAtMs,
    leechedBy: firstWhere((review) => review.lapsesAfter === leechLapses),
    graduatedBy: firstWhere((review) => review.stateAfter === "review"),
    reviews,
  };
}

function byTimeThenId(a: CardReview, b: CardReview): number {
  if (a.reviewedAtMs !== b.reviewedAtMs) return a.reviewedAtMs - b.reviewedAtMs;
  return a.reviewId < b.reviewId ? -1 : 1;
}

function schedulerFor(row: CardReview) {
  return fsrs({
    w: row.parameters ?? default_w,
    request_retention: row.retention,
    enable_fuzz: true,
  }).useStrategy(StrategyMode.SEED, GenSeedStrategyWithCardId("id"));
}

function stateName(state: State): CardStateName {
  return (["new", "learning", "review", "relearning"] as const)[state];
}

/** A learner's wish for one card (`card.state`). */
export interface CardStateOp {
  opId: string;
  occurredAtMs: number;
  state: "active" | "suspended" | "known";
}

/**
 * "The newest `occurredAt`, then op id, wins for card state and synonyms"; "at exactly the 8th
 * lapse a card is told as a leech and suspended, once". The leech counts as a state change at the
 * time of its review.
 */
export function cardStatus(
  schedule: CardSchedule,
  log: readonly CardReview[],
  ops: readonly CardStateOp[],
): CardStateOp["state"] {
  const leech = log.find((row) => row.reviewId === schedule.leechedBy);
  const changes: CardStateOp[] = [...ops];
  if (leech !== undefined) {
    const { reviewId: opId, reviewedAtMs: occurredAtMs } = leech;
    changes.push({ opId, occurredAtMs, state: "suspended" });
  }
  return newest(changes)?.state ?? "active";
}

/** "The newest `occurredAt`, then op id, wins". */
function newest<T extends { opId: string; occurredAtMs: number }>(
  ops: readonly T[],
): T | undefined {
  return [...ops]
    .sort((a, b) => a.occurredAtMs - b.occurredAtMs || (a.opId < b.opId ? -1 : 1))
    .at(-1);
}

/**
 * "the card's last review, ≤ 10 minutes after it by corrected time; a repeat is a no-op".
 * `undoneReviewIds` are those before this undo.
 */
export function checkUndo(
  log: readonly CardReview[],
  undoneReviewIds: readonly string[],
  reviewId: string,
  undoneAtMs: number,
): "undone" | "no-op" | "not the last review" | "too late" | "unknown review" {
  const review = log.find((row) => row.reviewId === reviewId);
  if (review === undefined) return "unknown review";
  if (undoneReviewIds.includes(reviewId)) return "no-op";
  const live = log.filter((row) => !undoneReviewIds.includes(row.reviewId)).sort(byTimeThenId);
  if (live.at(-1)?.reviewId !== reviewId) return "not the last review";
  return undoneAtMs - review.reviewedAtMs <= undoWithinMs ? "undone" : "too late";
}

/**
 * "for XP … each card counts once a local date": the review that pays for each (card, booked
 * date), the first received. "an undone review still counts for XP".
 */
export function payingReviews(reviews: readonly Review[]): Review[] {
  const paying = new Map<string, Review>();
  for (const review of [...reviews].sort((a, b) => a.receiptOrder - b.receiptOrder)) {
    const key = `${review.cardId}:${bookedOn(review)}`;
    if (!paying.has(key)) paying.set(key, review);
  }
  return [...paying.values()];
}

/** "cards that ever reached Review", with the booked date of the review that did it. */
export function graduations(
  reviews: readonly Review[],
  undoneReviewIds: readonly string[],
): { cardId: string; date: LocalDate }[] {
  const result: { cardId: string; date: LocalDate }[] = [];
  for (const [cardId, log] of groupBy(reviews, (review) => review.cardId)) {
    const { graduatedBy } = scheduleCard(cardId, log, undoneReviewIds);
    const graduation = log.find((review) => review.reviewId === graduatedBy);
    if (graduation !== undefined) result.push({ cardId, date: bookedOn(graduation) });
  }
  return result;
}

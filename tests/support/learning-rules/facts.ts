/** A calendar date on the learner's clock, `YYYY-MM-DD`. */
export type LocalDate = string;

export type Verdict = "right" | "typo" | "accent" | "wrong";

/** When the server received a fact. `receiptOrder` is unique over all facts of one learner. */
export interface Received {
  receiptOrder: number;
  receivedAtMs: number;
}

/** Work with its dates; `datesOfWork` in days.ts computes the three fields. */
export interface Work extends Received {
  workedOn: LocalDate;
  receivedOn: LocalDate;
  isLate: boolean;
}

export interface Completion extends Work {
  attemptId: string;
  lessonId: string;
  firstTryRights: number;
  xpReward: number;
  perfectBonus: number;
  isPerfect: boolean;
}

/** One row of the review log. `verdict` is by the course's keys, without the learner's synonyms. */
export interface Review extends Work {
  reviewId: string;
  cardId: string;
  reviewedAtMs: number;
  zone: string;
  rating: 1 | 2 | 3 | 4;
  verdict: Verdict;
  retention: number;
  parameters?: readonly number[];
}

interface ReviewUndo extends Received {
  reviewId: string;
}

/** A chat message that got an answer. */
export interface ChatMessage extends Work {
  messageId: string;
}

interface ReportCredit extends Received {
  attemptId: string;
  exerciseId: string;
  xp: number;
  creditedOn: LocalDate;
}

/** The first try at one exercise in a lesson; skipped exercises are left out. */
export interface FirstTry {
  receiptOrder: number;
  isRight: boolean;
}

/** A date that an operator granted (`ops learning grace`). */
export interface Grace extends Received {
  date: LocalDate;
}

/** Everything that happened to one learner; the order inside each list has no meaning. */
export interface Facts {
  completions: readonly Completion[];
  reviews: readonly Review[];
  undos: readonly ReviewUndo[];
  chatMessages: readonly ChatMessage[];
  reportCredits: readonly ReportCredit[];
  firstTries: readonly FirstTry[];
  graces: readonly Grace[];
  /** Dates that the learner's clock never showed, from `isLived` in days.ts. */
  notLived: readonly LocalDate[];
}

export const noFacts: Facts = {
  completions: [],
  reviews: [],
  undos: [],
  chatMessages: [],
  reportCredits: [],
  firstTries: [],
  graces: [],
  notLived: [],
};

/**
 * "Older work than 48 h is accepted: XP, challenges and board are booked on the local date of
 * receipt".
 */
export function bookedOn(work: Work): LocalDate {
  return work.isLate ? work.receivedOn : work.workedOn;
}

/** The facts that the server had after it received fact number `receiptOrder`. */
export function factsUntil(facts: Facts, receiptOrder: number): Facts {
  const isKnown = (fact: { receiptOrder: number }) => fact.receiptOrder <= receiptOrder;
  return {
    completions: facts.completions.filter(isKnown),
    reviews: facts.reviews.filter(isKnown),
    undos: facts.undos.filter(isKnown),
    chatMessages: facts.chatMessages.filter(isKnown),
    reportCredits: facts.reportCredits.filter(isKnown),
    firstTries: facts.firstTries.filter(isKnown),
    graces: facts.graces.filter(isKnown),
    notLived: facts.notLived,
  };
}

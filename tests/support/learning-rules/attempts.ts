import type { Verdict } from "./facts.js";

/** An answer in order of receipt. A skipped one has verdict "skipped". */
export interface Answer {
  exerciseId: string;
  verdict: Verdict | "skipped";
}

export interface AttemptScore {
  /** "Completing needs every exercise right once (or skipped)". */
  canComplete: boolean;
  firstTryRights: number;
  isPerfect: boolean;
  /** The first tries that accuracy counts, in order of receipt. */
  firstTries: { exerciseId: string; isRight: boolean }[];
}

/**
 * "the first try decides XP"; "`accent` and `typo` count as right for XP and completion, not for
 * the perfect bonus"; skipped is "done, no XP, not counted in accuracy, the attempt can still be
 * perfect"; who fetched the lesson's pack before the start gets no perfect flag.
 */
export function scoreAttempt(
  exerciseIds: readonly string[],
  answers: readonly Answer[],
  hadFetchedPack: boolean,
): AttemptScore {
  const firstTries = exerciseIds.map((id) => answers.find((answer) => answer.exerciseId === id));
  const answered = answers.filter(
    (answer, index) =>
      answer.verdict !== "skipped" &&
      answers.findIndex((other) => other.exerciseId === answer.exerciseId) === index,
  );
  return {
    canComplete: exerciseIds.every((id) =>
      answers.some((answer) => answer.exerciseId === id && answer.verdict !== "wrong"),
    ),
    firstTryRights: answered.filter((answer) => answer.verdict !== "wrong").length,
    isPerfect:
      !hadFetchedPack &&
      firstTries.every((first) => first?.verdict === "right" || first?.verdict === "skipped"),
    firstTries: answered.map(({ exerciseId, verdict }) => ({
      exerciseId,
      isRight: verdict !== "wrong",
    })),
  };
}

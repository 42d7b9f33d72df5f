import * as z from "zod";

export const verdicts = ["right", "typo", "accent", "wrong", "skipped"] as const;
export const Verdict = z.enum(verdicts);
export type Verdict = z.infer<typeof Verdict>;

interface Graded {
  exerciseId: string;
  tryNumber: number;
  verdict: Verdict;
}

interface Score {
  /** The exercises without a right answer, in the order of the lesson. */
  remaining: string[];
  /** A typo or a missing accent counts as right. */
  firstTryRights: number;
  /** Every first try was right, without a typo or missing accent, or skipped. */
  isPerfect: boolean;
}

export function scoreOf(exerciseIds: readonly string[], answers: readonly Graded[]): Score {
  const solved = new Set<string>();
  const firstTries = new Map<string, Verdict>();
  for (const { exerciseId, tryNumber, verdict } of answers) {
    if (verdict !== "wrong") solved.add(exerciseId);
    if (tryNumber === 1) firstTries.set(exerciseId, verdict);
  }
  const verdictsOfFirst = exerciseIds.map((id) => firstTries.get(id));
  return {
    remaining: exerciseIds.filter((id) => !solved.has(id)),
    firstTryRights: verdictsOfFirst.filter(isRight).length,
    isPerfect: verdictsOfFirst.every((verdict) => verdict === "right" || verdict === "skipped"),
  };
}

const isRight = (verdict: Verdict | undefined) =>
  verdict === "right" || verdict === "typo" || verdict === "accent";

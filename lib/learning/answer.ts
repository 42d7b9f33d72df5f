import * as z from "zod";
import type { ShownExercise } from "../content/exercises.js";
import type { Exercise } from "../grading/grade.js";
import type { Grade } from "../grading/grade-text.js";

const ChoiceId = z.string().max(8);

/** Which form an exercise takes depends on its type. */
export const Answer = z
  .union([
    z.strictObject({ text: z.string().max(2000) }),
    z.strictObject({ optionId: ChoiceId }),
    z.strictObject({ tileIds: z.array(ChoiceId).max(40) }),
    z.strictObject({ pairs: z.array(z.tuple([ChoiceId, ChoiceId])).max(10) }),
    /** Listening and speaking only. */
    z.strictObject({ skipped: z.literal(true) }),
  ])
  .meta({ id: "Answer" });
export type Answer = z.infer<typeof Answer>;

type Form = "text" | "optionId" | "tileIds" | "pairs" | "skipped";

/** A spoken answer will be a transcript that the server made. */
const formsOf: Record<Exercise["type"], readonly Form[]> = {
  translate: ["text"],
  typing: ["text"],
  fill_blank: ["text"],
  listening: ["text", "skipped"],
  speaking: ["skipped"],
  multiple_choice: ["optionId"],
  select_missing: ["optionId"],
  word_order: ["tileIds"],
  match_pairs: ["pairs"],
};

/** The fields that an answer to this type of exercise may have. */
export const answerForms = (type: Exercise["type"]): readonly string[] => formsOf[type];

/** Whether all options, tiles and sides of pairs are there, and no tile is used twice. */
export function isPossible(answer: Answer, shown: ShownExercise): boolean {
  const known = new Set(
    [
      ...("options" in shown ? shown.options : []),
      ...("tiles" in shown ? shown.tiles : []),
      ...("left" in shown ? [...shown.left, ...shown.right] : []),
    ].map(({ id }) => id),
  );
  const tileIds = "tileIds" in answer ? answer.tileIds : [];
  const chosen = [
    ...tileIds,
    ...("optionId" in answer ? [answer.optionId] : []),
    ...("pairs" in answer ? answer.pairs.flat() : []),
  ];
  return chosen.every((id) => known.has(id)) && new Set(tileIds).size === tileIds.length;
}

/** For a learner who has answered: the right answer, for a wrong text with some right words the one it comes nearest to. */
export function solutionOf(
  { matched, diff }: Pick<Grade, "matched" | "diff">,
  shown: ShownExercise,
  exercise: Exercise,
): string {
  if ("optionId" in exercise) {
    return textOf("options" in shown ? shown.options : [], exercise.optionId);
  }
  if ("pairs" in exercise) {
    const [left, right] = "left" in shown ? [shown.left, shown.right] : [[], []];
    return exercise.pairs
      .map(([one, other]) => `${textOf(left, one)} – ${textOf(right, other)}`)
      .join("; ");
  }
  const { keys } = exercise.keys;
  if (matched === null && diff.every(({ op }) => op !== "same")) return keys[0]?.text ?? "";
  const expected = lettersOf(diff.map((each) => each.expected ?? "").join(""));
  const nearest = keys.find(({ text, words }) =>
    [text, words].some((form) => lettersOf(form) === expected),
  );
  return matched ?? nearest?.text ?? keys[0]?.text ?? "";
}

const lettersOf = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}\p{M}]/gu, "");

const textOf = (choices: readonly { id: string; text: string }[], id: string): string =>
  choices.find((choice) => choice.id === id)?.text ?? "";

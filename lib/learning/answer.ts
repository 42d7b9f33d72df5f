import * as z from "zod";
import type { ShownExercise } from "../content/exercises.js";
import { readAnswer } from "../grading/answer-text.js";
import type { Exercise } from "../grading/grade.js";
import { nearestKey } from "../grading/nearest-key.js";

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

/** For a learner who has answered: the right answer, for a wrong text the one nearest to it. */
export function solutionOf(answer: Answer, shown: ShownExercise, exercise: Exercise): string {
  if ("optionId" in exercise)
    return textOf("options" in shown ? shown.options : [], exercise.optionId);
  if ("pairs" in exercise) {
    const [left, right] = "left" in shown ? [shown.left, shown.right] : [[], []];
    return exercise.pairs
      .map(([one, other]) => `${textOf(left, one)} – ${textOf(right, other)}`)
      .join("; ");
  }
  const { keys } = exercise.keys;
  const text = writtenText(answer, exercise);
  const read = readAnswer(text, exercise.keys).at(-1);
  const nearest = read && nearestKey(text, read, keys);
  return nearest?.key.text ?? keys[0]?.text ?? "";
}

function writtenText(answer: Answer, exercise: Exercise): string {
  if ("text" in answer) return answer.text;
  if (!("tileIds" in answer && "tiles" in exercise)) return "";
  return answer.tileIds.map((id) => textOf(exercise.tiles, id)).join(" ");
}

const textOf = (choices: readonly { id: string; text: string }[], id: string): string =>
  choices.find((choice) => choice.id === id)?.text ?? "";

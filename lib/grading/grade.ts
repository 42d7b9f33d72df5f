import type { CompiledKeys } from "./compiled-keys.js";
import { type Grade, gradeText, type TextExercise } from "./grade-text.js";

/** Rises with every change that may give an answer another verdict. */
export const graderVersion = 1;

export type Exercise =
  | (TextExercise & { type: "translate" | "typing" | "listening" | "speaking" | "fill_blank" })
  | (TextExercise & { type: "word_order"; tiles: readonly { id: string; text: string }[] })
  | { type: "multiple_choice" | "select_missing"; optionId: string }
  | { type: "match_pairs"; pairs: readonly Pair[] };

type Pair = readonly [leftId: string, rightId: string];

/** The text of a spoken answer is that of its transcript. */
export type Answer =
  | { text: string }
  | { optionId: string }
  | { tileIds: readonly string[] }
  | { pairs: readonly Pair[] }
  | { skipped: true };

const typesWithTypos = new Set<Exercise["type"]>(["translate", "typing", "listening", "speaking"]);

/**
 * Null for a skipped exercise, which has no verdict. An answer of another form than the exercise asks for is wrong.
 * Deterministic: the same answer, exercise and version give the same grade.
 */
export function grade(answer: Answer, exercise: Exercise): Grade | null {
  if ("skipped" in answer) {
    const maySkip = exercise.type === "listening" || exercise.type === "speaking";
    return maySkip ? null : choice(false);
  }
  switch (exercise.type) {
    case "multiple_choice":
    case "select_missing":
      return choice("optionId" in answer && answer.optionId === exercise.optionId);
    case "match_pairs":
      return choice("pairs" in answer && areSamePairs(answer.pairs, exercise.pairs));
    case "word_order":
      return gradeText(
        "tileIds" in answer ? tileText(answer.tileIds, exercise) : "",
        exercise,
        false,
      );
    default:
      return gradeText(
        "text" in answer ? answer.text : "",
        exercise,
        typesWithTypos.has(exercise.type),
      );
  }
}

const choice = (isRight: boolean): Grade => ({
  verdict: isRight ? "right" : "wrong",
  matched: null,
  diff: [],
  rules: [],
});

function areSamePairs(given: readonly Pair[], expected: readonly Pair[]): boolean {
  const ids = new Set(expected.map((pair) => JSON.stringify(pair)));
  const found = new Set(given.map((pair) => JSON.stringify(pair)));
  return (
    given.length === ids.size && found.size === ids.size && [...found].every((id) => ids.has(id))
  );
}

/** Tiles with the same text stand for each other. A tile that is unknown or used twice makes the text empty. */
function tileText(
  tileIds: readonly string[],
  { tiles }: { tiles: readonly { id: string; text: string }[]; keys: CompiledKeys },
): string {
  const texts = new Map(tiles.map(({ id, text }) => [id, text]));
  const isValid = new Set(tileIds).size === tileIds.length && tileIds.every((id) => texts.has(id));
  return isValid ? tileIds.map((id) => texts.get(id)).join(" ") : "";
}

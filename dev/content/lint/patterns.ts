import type { CourseSource, ExerciseSource } from "../source.js";
import { exerciseTexts } from "./exercise-texts.js";
import { groupBy } from "./group-by.js";
import { placedExercises } from "./placed-exercises.js";
import { plainWords } from "./plain-words.js";
import type { Problem, Rule } from "./problem.js";

const shareMax = 0.1;
/** Of shorter sentences many are equal but for one word by chance. */
const wordsMin = 3;

/** At most a tenth of the sentences equals another one but for a word. */
export const patterns: Rule = (course) =>
  (["target", "native"] as const).flatMap((side) => patternProblems(course, side));

function patternProblems(course: CourseSource, side: "target" | "native"): Problem[] {
  const sentences = placedExercises(course)
    .filter(({ exercise }) => exercise.type !== "match_pairs")
    .map(({ exercise, place }) => ({ place, words: mainSentence(exercise, course, side) }))
    .filter(({ words }) => words.length >= wordsMin);
  const groups = groupBy(
    sentences.flatMap((sentence) =>
      sentence.words.map((_, at) => ({
        sentence,
        pattern: sentence.words.with(at, "…").join(" "),
      })),
    ),
    ({ pattern }) => pattern,
  );
  const filled = [...groups.values()]
    .filter((group) => group.length > 1)
    .toSorted((one, other) => other.length - one.length);
  const repeated = new Set(filled.flatMap((group) => group.map(({ sentence }) => sentence)));
  if (repeated.size <= shareMax * sentences.length) return [];
  const examples = filled.slice(0, 5).map(([first]) => `"${first?.pattern}"`);
  return [
    {
      file: "units",
      message:
        `Write other ${side} sentences: ${repeated.size} of ${sentences.length} equal another one but for one word, ` +
        `and at most ${100 * shareMax} % may. The most frequent patterns: ${examples.join(", ")}.`,
    },
  ];
}

function mainSentence(exercise: ExerciseSource, course: CourseSource, side: "target" | "native") {
  const [text = ""] = exerciseTexts(exercise, course)[side];
  return plainWords(text, course.info[side]);
}

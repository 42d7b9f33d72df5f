import type { CourseSource, ExerciseSource } from "../source.js";
import { acceptedBy } from "./accepted-texts.js";
import { placedExercises } from "./placed-exercises.js";
import { foldedText } from "./plain-words.js";
import type { Rule } from "./problem.js";
import { templateTexts } from "./template-texts.js";

type WithOptions = Extract<ExerciseSource, { distractors: string[] }>;

/** The grader calls no distractor right, and the course nowhere translates the prompt by one. */
export const distractors: Rule = (course) =>
  placedExercises(course).flatMap(({ exercise, place }) => {
    if (!("distractors" in exercise)) return [];
    const lang = exercise.type === "multiple_choice" ? exercise.optionLang : course.info.target;
    const { accents } = exercise;
    const isRight = [
      acceptedBy([exercise.right], { lang, accents, areLiteral: true }),
      ...otherAnswers(exercise, course).map((answers) => acceptedBy(answers, { lang, accents })),
    ];
    return exercise.distractors.flatMap((distractor, index) => {
      if (isRight.some((accepts) => accepts(distractor))) {
        return [
          { ...place, message: `Replace the distractor "${distractor}": it is graded right.` },
        ];
      }
      const isRepeated = exercise.distractors.indexOf(distractor) < index;
      return isRepeated
        ? [{ ...place, message: `Replace the distractor "${distractor}": it is there twice.` }]
        : [];
    });
  });

/** What the course accepts for the same prompt elsewhere. */
function otherAnswers(exercise: WithOptions, course: CourseSource): string[][] {
  if (exercise.type !== "multiple_choice" || exercise.promptLang === exercise.optionLang) return [];
  const { promptLang } = exercise;
  const folded = (text: string) => foldedText(text, promptLang);
  const prompt = folded(exercise.prompt);
  const isPrompt = (text: string) => folded(text) === prompt;
  const sentences = placedExercises(course).flatMap(({ exercise: other }) =>
    other.type === "translate" && other.promptLang === promptLang && isPrompt(other.prompt)
      ? [other.answers]
      : [],
  );
  const words = course.words.flatMap(({ target, native, alsoNative = [] }) => {
    const natives = [native, ...alsoNative];
    if (promptLang === course.info.target)
      return templateTexts(target).some(isPrompt) ? [natives] : [];
    return natives.some(isPrompt) ? [[target]] : [];
  });
  return [...sentences, ...words];
}

import { expandTemplate } from "../../../lib/grading/template.js";
import { placedExercises } from "./placed-exercises.js";
import type { Place, Problem, Rule } from "./problem.js";

/** Every template can be expanded. */
export const templates: Rule = (course) => [
  ...course.words.flatMap(({ target }) => templateProblems(target, { file: "words.yaml" })),
  ...placedExercises(course).flatMap(({ exercise, place }) =>
    "answers" in exercise
      ? (exercise.answers ?? []).flatMap((answer) => templateProblems(answer, place))
      : [],
  ),
];

function templateProblems(template: string, place: Place): Problem[] {
  try {
    expandTemplate(template);
    return [];
  } catch (error) {
    return [{ ...place, message: error instanceof Error ? error.message : String(error) }];
  }
}

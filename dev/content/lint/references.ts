import { placedLessons } from "./placed-exercises.js";
import type { Problem, Rule } from "./problem.js";

/** Lessons name words, grammar points and lessons that exist; each word is taught by one lesson. */
export const references: Rule = (course) => {
  const words = new Set(course.words.map(({ id }) => id));
  const points = new Set(course.reference.grammar.map(({ id }) => id));
  const taughtBy = new Map<string, string>();
  const earlier = new Set<string>();
  const problems: Problem[] = [];

  for (const [index, unit] of course.units.entries()) {
    const name = course.info.units[index];
    if (unit.id !== name) {
      problems.push({
        file: `units/${name}.yaml`,
        message: `Write the ID ${name}, as the file is named, for ${unit.id}.`,
      });
    }
  }
  for (const { lesson, place } of placedLessons(course)) {
    for (const id of lesson.teaches) {
      const other = taughtBy.get(id);
      if (!words.has(id))
        problems.push({ ...place, message: `Add ${id} to words.yaml, or do not teach it.` });
      if (other)
        problems.push({ ...place, message: `Do not teach ${id} again: ${other} teaches it.` });
      taughtBy.set(id, lesson.id);
    }
    for (const id of lesson.grammar ?? []) {
      if (!points.has(id))
        problems.push({ ...place, message: `Add ${id} to grammar.yaml, or do not name it.` });
    }
    for (const id of lesson.requires ?? []) {
      if (!earlier.has(id))
        problems.push({
          ...place,
          message: `Require an earlier lesson of the course: ${id} is not one.`,
        });
    }
    earlier.add(lesson.id);
  }
  for (const id of words) {
    if (!taughtBy.has(id))
      problems.push({ file: "words.yaml", message: `Teach ${id} in a lesson, or remove it.` });
  }
  return problems;
};

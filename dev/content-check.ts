import process from "node:process";
import { readAllowedWords } from "./content/lint/allowed-words.js";
import { checkCourse } from "./content/lint/check-course.js";
import { problemLine } from "./content/lint/problem.js";
import { courseFolders, readCourse } from "./content/read-course.js";

const [, , ...named] = process.argv;

for (const folder of named.length > 0 ? named : courseFolders()) {
  try {
    const course = readCourse(folder);
    const problems = await checkCourse(course, readAllowedWords(folder));
    for (const problem of problems) console.log(`${course.name}/${problemLine(problem)}`);
    if (problems.length > 0) process.exitCode = 1;
    const lessons = course.units.flatMap((unit) => unit.lessons);
    const exercises = lessons.flatMap((lesson) => lesson.exercises);
    const counts = `${lessons.length} lessons, ${exercises.length} exercises, ${course.words.length} words`;
    console.log(
      `${course.name}: ${counts}: ${problems.length || "no"} problem${problems.length === 1 ? "" : "s"}`,
    );
  } catch (error) {
    console.log(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

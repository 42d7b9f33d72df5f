import type { CourseSource, ExerciseSource, LessonSource } from "../source.js";
import type { Place } from "./problem.js";

export interface PlacedLesson {
  lesson: LessonSource;
  place: Place;
}

export interface PlacedExercise extends PlacedLesson {
  exercise: ExerciseSource;
}

/** In the course's order. */
export const placedLessons = (course: CourseSource): PlacedLesson[] =>
  course.units.flatMap((unit) =>
    unit.lessons.map((lesson) => ({
      lesson,
      place: { file: `units/${unit.id}.yaml`, lesson: lesson.id },
    })),
  );

export const placedExercises = (course: CourseSource): PlacedExercise[] =>
  placedLessons(course).flatMap(({ lesson, place }) =>
    lesson.exercises.map((exercise) => ({
      lesson,
      exercise,
      place: { ...place, exercise: exercise.id },
    })),
  );

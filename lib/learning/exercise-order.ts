import { createHash } from "node:crypto";
import type { ShownExercise } from "../content/exercises.js";

/** The exercises of a lesson, with options, tiles and pairs in an order that the attempt's seed fixes. */
export function shuffled(exercises: readonly ShownExercise[], seed: number): ShownExercise[] {
  return exercises.map((exercise) => {
    const inOrder = <T extends { id: string }>(choices: T[]) =>
      sortedByHash(choices, `${seed} ${exercise.id}`);
    if ("options" in exercise) return { ...exercise, options: inOrder(exercise.options) };
    if ("tiles" in exercise) return { ...exercise, tiles: inOrder(exercise.tiles) };
    if ("left" in exercise) {
      return { ...exercise, left: inOrder(exercise.left), right: inOrder(exercise.right) };
    }
    return exercise;
  });
}

function sortedByHash<T extends { id: string }>(choices: readonly T[], salt: string): T[] {
  const hashed = choices.map((choice) => ({
    choice,
    hash: createHash("sha256").update(`${salt} ${choice.id}`).digest("hex"),
  }));
  return hashed.sort((a, b) => (a.hash < b.hash ? -1 : 1)).map(({ choice }) => choice);
}

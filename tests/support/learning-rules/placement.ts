import type { Lesson } from "./unlock.js";

export interface PlacementAnswer {
  unit: number;
  isRight: boolean;
}

export type Placement =
  | { status: "asking"; unit: number; reversals: number }
  | { status: "finished"; unit: number; reversals: number };

/**
 * "A staircase over units from unit 2: two right in a row → up, one wrong → down; it ends at 15
 * answers or 3 reversals." A reversal is a step in the other direction than the step before it.
 * At the first and last unit a step that is not possible is no step. While "asking", `unit` is the
 * unit of the next exercise; when "finished" it is the result.
 */
export function placementOf(unitCount: number, answers: readonly PlacementAnswer[]): Placement {
  let unit = Math.min(2, unitCount);
  let rightsInARow = 0;
  let lastStep = 0;
  let reversals = 0;

  for (const answer of answers) {
    if (answer.unit !== unit) throw new Error(`Unit ${unit} was asked, not ${answer.unit}.`);
    rightsInARow = answer.isRight ? rightsInARow + 1 : 0;
    let step = 0;
    if (!answer.isRight && unit > 1) step = -1;
    if (rightsInARow === 2 && unit < unitCount) step = 1;
    if (rightsInARow === 2) rightsInARow = 0;
    if (step !== 0) {
      if (lastStep !== 0 && step !== lastStep) reversals += 1;
      lastStep = step;
      unit += step;
    }
  }

  if (answers.length < 15 && reversals < 3) return { status: "asking", unit, reversals };
  return { status: "finished", unit: resultUnit(unitCount, answers), reversals };
}

/** "Result: the highest unit with ≥ 3 answers and ≥ 2/3 right, else unit 1". */
export function resultUnit(unitCount: number, answers: readonly PlacementAnswer[]): number {
  for (let unit = unitCount; unit >= 1; unit -= 1) {
    const ofUnit = answers.filter((answer) => answer.unit === unit);
    const rights = ofUnit.filter((answer) => answer.isRight).length;
    if (ofUnit.length >= 3 && 3 * rights >= 2 * ofUnit.length) return unit;
  }
  return 1;
}

/** "earlier lessons are `tested_out`": those of the units before the result. */
export function testedOutLessons(lessons: readonly Lesson[], unit: number): string[] {
  return lessons.filter((lesson) => lesson.unit < unit).map((lesson) => lesson.lessonId);
}

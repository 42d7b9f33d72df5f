/** Choices where the specification allows more than one reading; AMBIGUITIES.md has the reasons. */
export interface Readings {
  /** "lessons 10/100": different lessons, or completions with repeats. */
  lessonsAchievement: "different lessons" | "completions";
  /** "10 perfect lessons": different lessons that were once perfect, or perfect completions. */
  perfectAchievement: "different lessons" | "completions";
  /** When the accuracy achievement is evaluated. */
  accuracyEvaluatedAt: "completions" | "all work";
}

export const defaultReadings: Readings = {
  lessonsAchievement: "different lessons",
  perfectAchievement: "completions",
  accuracyEvaluatedAt: "completions",
};

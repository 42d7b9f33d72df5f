import type { CourseSource, ExerciseSource } from "../source.js";
import { templateTexts } from "./template-texts.js";

export interface ExerciseTexts {
  /** Accepted or shown whole, in the target language. */
  target: readonly string[];
  native: readonly string[];
  /** Wrong options and further tiles. They are spelt right, and may be wrong sentences. */
  wrongTarget: readonly string[];
  wrongNative: readonly string[];
}

export function exerciseTexts(
  exercise: ExerciseSource,
  { info }: Pick<CourseSource, "info">,
): ExerciseTexts {
  const texts = { target: [], native: [], wrongTarget: [], wrongNative: [] };
  switch (exercise.type) {
    case "translate": {
      const answers = exercise.answers.flatMap(templateTexts);
      return exercise.promptLang === info.target
        ? { ...texts, target: [exercise.prompt], native: answers }
        : { ...texts, target: answers, native: [exercise.prompt] };
    }
    case "typing":
      return {
        ...texts,
        target: exercise.answers.flatMap(templateTexts),
        native: [exercise.prompt],
      };
    case "fill_blank":
    case "select_missing":
      return {
        ...texts,
        target: rightFillers(exercise).map((filler) => fillBlank(exercise.text, filler)),
        native: [exercise.native],
        wrongTarget: exercise.type === "select_missing" ? exercise.distractors : [],
      };
    case "multiple_choice": {
      const isIn = (lang: string, values: readonly string[], wanted: string) =>
        lang === wanted ? values : [];
      const of = (wanted: string) => [
        ...isIn(exercise.promptLang, [exercise.prompt], wanted),
        ...isIn(exercise.optionLang, [exercise.right], wanted),
      ];
      return {
        target: of(info.target),
        native: of(info.native),
        wrongTarget: isIn(exercise.optionLang, exercise.distractors, info.target),
        wrongNative: isIn(exercise.optionLang, exercise.distractors, info.native),
      };
    }
    case "match_pairs":
      return {
        ...texts,
        target: exercise.pairs.map(([target]) => target),
        native: exercise.pairs.map(([, native]) => native),
      };
    case "listening":
      return {
        ...texts,
        target: [exercise.text, ...(exercise.answers ?? []).flatMap(templateTexts)],
      };
    case "speaking":
      return { ...texts, target: [exercise.text] };
    case "word_order":
      return {
        ...texts,
        target: exercise.answers.flatMap(templateTexts),
        native: [exercise.prompt],
        wrongTarget: exercise.extraTiles,
      };
  }
}

type WithBlank = Extract<ExerciseSource, { text: string; native: string }>;

const fillBlank = (text: string, filler: string): string => text.replace("___", () => filler);

export const rightFillers = (exercise: WithBlank): readonly string[] =>
  exercise.type === "fill_blank" ? exercise.answers.flatMap(templateTexts) : [exercise.right];

import * as z from "zod";
import { categories, LearnContent, levels } from "../../lib/content/bodies.js";

/** The files of a course, as drizzle/content/README.md describes them. */

const Text = z.string().trim().min(1).max(2000);
const Slug = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "Must be lower-case words with hyphens.");
const Tag = z.string().max(35);
const Answers = z.array(Text).min(1).max(20);

const common = {
  id: Slug,
  hint: Text.optional(),
  accents: z.literal("exact").optional(),
  script: z.enum(["any", "kana", "kanji"]).optional(),
};

const withBlank = Text.refine((text) => text.split("___").length === 2, "Must hold one ___.");

export const ExerciseSource = z.discriminatedUnion("type", [
  z.strictObject({
    ...common,
    type: z.literal("translate"),
    prompt: Text,
    promptLang: Tag,
    answers: Answers,
  }),
  z.strictObject({ ...common, type: z.literal("typing"), prompt: Text, answers: Answers }),
  z.strictObject({
    ...common,
    type: z.literal("fill_blank"),
    text: withBlank,
    native: Text,
    answers: Answers,
  }),
  z.strictObject({
    ...common,
    type: z.literal("select_missing"),
    text: withBlank,
    native: Text,
    right: Text,
    distractors: z.array(Text).min(2).max(3),
  }),
  z.strictObject({
    ...common,
    type: z.literal("multiple_choice"),
    prompt: Text,
    promptLang: Tag,
    optionLang: Tag,
    right: Text,
    distractors: z.array(Text).min(2).max(3),
  }),
  z.strictObject({
    ...common,
    type: z.literal("match_pairs"),
    pairs: z
      .array(z.tuple([Text, Text]))
      .min(4)
      .max(6),
  }),
  z.strictObject({
    ...common,
    type: z.literal("listening"),
    text: Text,
    answers: Answers.optional(),
  }),
  z.strictObject({ ...common, type: z.literal("speaking"), text: Text }),
  z.strictObject({
    ...common,
    type: z.literal("word_order"),
    prompt: Text,
    answers: Answers,
    extraTiles: z.array(Text).min(1).max(3),
  }),
]);
export type ExerciseSource = z.infer<typeof ExerciseSource>;

const LessonSource = z.strictObject({
  id: Slug,
  title: Text,
  level: z.enum(levels),
  category: z.enum(categories),
  minutes: z.int().min(1).max(60),
  xpReward: z.int().min(15).max(40),
  perfectBonus: z.int().min(8).max(20),
  teaches: z.array(Slug).max(20),
  grammar: z.array(Slug).optional(),
  requires: z.array(Slug).optional(),
  /** Words of its texts that a dictionary cannot tell from another, such as esta and está, and that are meant. */
  confirmed: z.array(Text).optional(),
  exercises: z.array(ExerciseSource).min(1).max(20),
});
export type LessonSource = z.infer<typeof LessonSource>;

export const UnitSource = z.strictObject({
  id: Slug,
  title: Text,
  description: Text,
  lessons: z.array(LessonSource).min(1),
});

export const CourseInfo = z.strictObject({
  target: Tag,
  native: Tag,
  title: Text,
  description: Text,
  version: z.int().min(1),
  units: z.array(Slug).min(1),
  names: z.array(Text),
  tips: z.array(Text),
});

export const WordSource = z.strictObject({
  id: Slug,
  target: Text,
  native: Text,
  alsoNative: z.array(Text).optional(),
  forms: z.array(Text).optional(),
  /** Japanese: the kana. */
  reading: Text.optional(),
  pronunciation: Text,
  theme: Text,
});
export type WordSource = z.infer<typeof WordSource>;

const { alphabet, numbers, phrases, phonics, grammar, dialogues } = LearnContent.shape;

/** A phrase has an ID in its file, which the catalogue does not show. */
export const referenceFiles = {
  alphabet,
  numbers,
  phrases: z.array(phrases.element.extend({ id: Slug })),
  phonics,
  grammar,
  dialogues,
};

export interface CourseSource {
  /** The folder's name, such as `es-en`. */
  name: string;
  info: z.infer<typeof CourseInfo>;
  words: WordSource[];
  units: z.infer<typeof UnitSource>[];
  reference: { [Name in keyof typeof referenceFiles]: z.infer<(typeof referenceFiles)[Name]> };
  /** SHA-256 of the files. */
  digest: string;
}

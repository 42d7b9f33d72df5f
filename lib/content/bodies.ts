import * as z from "zod";

/** What the catalogue serves. Lists are never null. */

export const levels = ["A1", "A2", "B1", "B2", "C1", "C2"] as const;
export const categories = [
  "vocabulary",
  "grammar",
  "conversation",
  "pronunciation",
  "listening",
  "writing",
  "culture",
] as const;
export const exerciseTypes = [
  "translate",
  "multiple_choice",
  "fill_blank",
  "match_pairs",
  "listening",
  "speaking",
  "word_order",
  "typing",
  "select_missing",
] as const;

const Text = z.string().max(2000);
const Tag = z.string().max(35);
const Id = z.uuid();

export const CourseSummary = z
  .strictObject({
    id: Id,
    targetLanguage: Tag,
    nativeLanguage: Tag,
    title: Text,
    description: Text,
    /** Of the content; it rises with each change. */
    version: z.int().min(1),
    lessons: z.int().min(0),
    words: z.int().min(0),
  })
  .meta({ id: "CourseSummary" });
export type CourseSummary = z.infer<typeof CourseSummary>;

const LessonSummary = z
  .strictObject({
    id: Id,
    title: Text,
    level: z.enum(levels),
    category: z.enum(categories),
    minutes: z.int().min(1).max(60),
    xpReward: z.int().min(15).max(40),
    perfectBonus: z.int().min(8).max(20),
    /** The lessons that must be completed, or tested out, before it. */
    requires: z.array(Id).max(20),
    exercises: z.int().min(1).max(20),
  })
  .meta({ id: "LessonSummary" });

export const Course = CourseSummary.extend({
  units: z
    .array(
      z.strictObject({
        title: Text,
        description: Text,
        lessons: z.array(LessonSummary).max(100),
      }),
    )
    .max(100),
}).meta({ id: "Course" });
export type Course = z.infer<typeof Course>;

export const Word = z
  .strictObject({
    id: Id,
    target: Text,
    native: Text,
    pronunciation: Text,
    theme: Text,
  })
  .meta({ id: "Word" });
export type Word = z.infer<typeof Word>;

export const Lesson = LessonSummary.extend({
  courseId: Id,
  version: z.int().min(1),
  /** From 1. */
  unit: z.int().min(1),
  exerciseTypes: z.array(z.enum(exerciseTypes)),
  words: z.array(Word).max(50),
}).meta({ id: "Lesson" });
export type Lesson = z.infer<typeof Lesson>;

const Pair = z.strictObject({ target: Text, native: Text });
const slug = z.string().max(60);

export const LearnContent = z
  .strictObject({
    alphabet: z.array(
      z.strictObject({
        id: slug,
        character: Text,
        romanization: Text.optional(),
        pronunciation: Text,
        type: z.enum(["vowel", "consonant", "special"]),
        difficulty: z.int().min(1).max(5),
        examples: z.array(
          z.strictObject({ word: Text, translation: Text, pronunciation: Text.optional() }),
        ),
      }),
    ),
    numbers: z.array(
      z.strictObject({ value: z.int(), target: Text, pronunciation: Text.optional() }),
    ),
    commonWords: z.array(Pair.extend({ pronunciation: Text.optional(), theme: Text })),
    phrases: z.array(Pair.extend({ pronunciation: Text.optional(), context: Text })),
    tips: z.array(Text),
    phonics: z.array(
      z.strictObject({
        id: slug,
        sound: Text,
        ipa: Text.optional(),
        graphemes: z.array(Text),
        examples: z.array(z.strictObject({ word: Text, translation: Text })),
      }),
    ),
    grammar: z.array(
      z.strictObject({ id: slug, title: Text, explanation: Text, examples: z.array(Pair) }),
    ),
    dialogues: z.array(
      z.strictObject({
        id: slug,
        scene: Text,
        turns: z.array(Pair.extend({ speaker: Text })),
      }),
    ),
  })
  .meta({ id: "LearnContent" });
export type LearnContent = z.infer<typeof LearnContent>;

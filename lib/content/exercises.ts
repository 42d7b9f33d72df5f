import * as z from "zod";

/** An exercise as a learner sees it before the answer: without the right one, in no order that tells it. */

const Text = z.string().max(2000);
const Tag = z.string().max(35);
const Choice = z.strictObject({ id: z.string().max(8), text: Text });

const common = { id: z.uuid(), hint: Text.optional() };
const written = { ...common, answerLang: Tag, script: z.enum(["any", "kana", "kanji"]).optional() };

export const ShownExercise = z
  .discriminatedUnion("type", [
    z.strictObject({ ...written, type: z.literal("translate"), prompt: Text, promptLang: Tag }),
    z.strictObject({ ...written, type: z.literal("typing"), prompt: Text, promptLang: Tag }),
    /** `text` has one `___`. */
    z.strictObject({ ...written, type: z.literal("fill_blank"), text: Text, native: Text }),
    z.strictObject({
      ...common,
      type: z.literal("select_missing"),
      text: Text,
      native: Text,
      options: z.array(Choice).max(10),
    }),
    z.strictObject({
      ...common,
      type: z.literal("multiple_choice"),
      prompt: Text,
      promptLang: Tag,
      optionLang: Tag,
      options: z.array(Choice).max(10),
    }),
    z.strictObject({
      ...common,
      type: z.literal("match_pairs"),
      left: z.array(Choice).max(10),
      right: z.array(Choice).max(10),
    }),
    /** `text` is to be spoken, not shown. */
    z.strictObject({ ...written, type: z.literal("listening"), text: Text }),
    z.strictObject({ ...written, type: z.literal("speaking"), text: Text }),
    z.strictObject({
      ...common,
      type: z.literal("word_order"),
      prompt: Text,
      promptLang: Tag,
      answerLang: Tag,
      tiles: z.array(Choice).max(40),
    }),
  ])
  .meta({ id: "Exercise" });
export type ShownExercise = z.infer<typeof ShownExercise>;

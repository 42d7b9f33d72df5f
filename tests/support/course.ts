import { contentId } from "../../dev/content/ids.js";
import { seedCourse } from "../../dev/content/seed.js";
import type { CourseSource, ExerciseSource, LessonSource } from "../../dev/content/source.js";
import type { ShownExercise } from "../../lib/content/exercises.js";
import { expandTemplate } from "../../lib/grading/template.js";
import type { Answer } from "../../lib/learning/answer.js";
import { aContext } from "./context.js";

const aLesson = (
  id: string,
  exercises: ExerciseSource[],
  more: Partial<LessonSource> = {},
): LessonSource => ({
  id,
  title: id,
  level: "A1",
  category: "vocabulary",
  minutes: 5,
  xpReward: 20,
  perfectBonus: 10,
  teaches: [],
  exercises,
  ...more,
});

/** An exercise of each type. */
const everyType: ExerciseSource[] = [
  {
    id: "e1",
    type: "translate",
    prompt: "Il caffè è molto buono.",
    promptLang: "it",
    answers: ["The coffee is very good.", "Coffee is really nice."],
  },
  { id: "e2", type: "typing", prompt: "the city", answers: ["la città"] },
  {
    id: "e3",
    type: "fill_blank",
    text: "Bevo un ___ nero.",
    native: "I drink a black coffee.",
    answers: ["caffè"],
  },
  {
    id: "e4",
    type: "select_missing",
    text: "Buona ___, Anna.",
    native: "Good evening, Anna.",
    right: "sera",
    distractors: ["giorno", "grazie"],
  },
  {
    id: "e5",
    type: "multiple_choice",
    prompt: "ciao",
    promptLang: "it",
    optionLang: "en",
    right: "hello",
    distractors: ["thanks", "evening", "coffee"],
  },
  {
    id: "e6",
    type: "match_pairs",
    pairs: [
      ["ciao", "hello"],
      ["grazie", "thanks"],
      ["sera", "evening"],
      ["caffè", "coffee"],
    ],
  },
  { id: "e7", type: "listening", text: "Buona sera, Anna." },
  { id: "e8", type: "speaking", text: "Grazie, Anna." },
  {
    id: "e9",
    type: "word_order",
    prompt: "Good evening, Anna.",
    answers: ["Buona sera, Anna."],
    extraTiles: ["ciao", "giorno"],
  },
];

const typing = (id: string, prompt: string, answer: string): ExerciseSource => ({
  id,
  type: "typing",
  prompt,
  answers: [answer],
});

/** Two units: `hello` with each type of exercise, then `thanks`; and `coffee`, which the free plan does not have. */
export const smallCourse: CourseSource = {
  name: "it-en",
  info: {
    target: "it",
    native: "en",
    title: "Italian",
    description: "A small course.",
    version: 1,
    units: ["one", "two"],
    names: ["Anna"],
    tips: [],
  },
  words: [],
  units: [
    {
      id: "one",
      title: "One",
      description: "The first.",
      lessons: [
        aLesson("hello", everyType),
        aLesson("thanks", [typing("e1", "thanks", "grazie"), typing("e2", "evening", "sera")]),
      ],
    },
    {
      id: "two",
      title: "Two",
      description: "The second.",
      lessons: [aLesson("coffee", [typing("e1", "coffee", "caffè")])],
    },
  ],
  reference: { alphabet: [], numbers: [], phrases: [], phonics: [], grammar: [], dialogues: [] },
  digest: "1",
};

export async function publishCourse(source = smallCourse): Promise<void> {
  await seedCourse(aContext().db.$client, source);
}

/** The IDs of the lessons of the small course. */
export const lessonId = (slug: string, course = smallCourse.name): string =>
  contentId(course, "lesson", slug);

const exercisesOf = ({ name, units }: CourseSource) =>
  new Map(
    units.flatMap(({ lessons }) =>
      lessons.flatMap(({ id, exercises }) =>
        exercises.map((each) => [contentId(name, "lesson", id, each.id), each] as const),
      ),
    ),
  );

/** From the files of the course: what a learner who knows everything answers; speaking is skipped. */
export function rightAnswer(shown: ShownExercise, course = smallCourse): Answer {
  const source = exercisesOf(course).get(shown.id);
  if (!source) throw new Error(`The course has no exercise ${shown.id}.`);
  switch (source.type) {
    case "translate":
    case "typing":
    case "fill_blank":
      return { text: firstText(source.answers) };
    case "listening":
      return { text: source.text };
    case "speaking":
      return { skipped: true };
    case "select_missing":
    case "multiple_choice":
      return { optionId: idOf("options" in shown ? shown.options : [], source.right) };
    case "match_pairs": {
      const [left, right] = "left" in shown ? [shown.left, shown.right] : [[], []];
      return { pairs: source.pairs.map(([one, other]) => [idOf(left, one), idOf(right, other)]) };
    }
    case "word_order":
      return { tileIds: tilesOf("tiles" in shown ? shown.tiles : [], firstText(source.answers)) };
  }
}

/** Of a form that fits the exercise. */
export function wrongAnswer(shown: ShownExercise, course = smallCourse): Answer {
  const right = rightAnswer(shown, course);
  if ("optionId" in right && "options" in shown) {
    const other = shown.options.find(({ id }) => id !== right.optionId);
    return { optionId: other?.id ?? "" };
  }
  if ("tileIds" in right) return { tileIds: right.tileIds.slice(1) };
  if ("pairs" in right) return { pairs: right.pairs.slice(1) };
  return { text: "xyzzy" };
}

const firstText = (answers: string[]) => expandTemplate(answers[0] ?? "")[0] ?? "";

type Choices = readonly { id: string; text: string }[];

const idOf = (choices: Choices, text: string): string =>
  choices.find((choice) => choice.text === text)?.id ?? "";

function tilesOf(tiles: Choices, text: string): string[] {
  const left = [...tiles];
  return text.split(" ").map((word) => {
    const bare = word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");
    const at = left.findIndex((tile) => tile.text === bare);
    return left.splice(at, 1)[0]?.id ?? "";
  });
}

import type { CourseSource, ExerciseSource, WordSource } from "../../../dev/content/source.js";

/** A course without a fault, but for its size. */
export const smallCourse = (): CourseSource => ({
  name: "es-en",
  digest: "",
  info: {
    target: "es",
    native: "en",
    title: "Spanish",
    description: "Order a coffee.",
    version: 1,
    units: ["drinks"],
    names: ["Lucía"],
    tips: ['The word "perro" has a long r.'],
  },
  words: [
    word("hola", "hola", "hello"),
    word("cafe", "el café", "the coffee", ["cafés"]),
    word("leche", "la leche", "the milk"),
    word("con", "con", "with"),
    word("sin", "sin", "without"),
    word("querer", "querer", "to want", ["quiero", "quieres", "quiere"]),
    word("un", "(un|una)", "a"),
    word("y", "y", "and"),
    word("billete", "el (billete|boleto|pasaje)", "the ticket"),
    word("grande", "grande", "big"),
    word("tu", "tú", "you (informal)"),
    word("usted", "usted", "you (formal)"),
    word("perro", "el perro", "the dog", ["perros"]),
    word("gato", "el gato", "the cat", ["gatos"]),
  ],
  units: [
    {
      id: "drinks",
      title: "Drinks",
      description: "Order a drink.",
      lessons: [
        {
          ...lesson,
          id: "coffee",
          title: "Coffee",
          teaches: [
            ...["hola", "cafe", "leche", "con", "sin", "querer", "un", "y"],
            ...["billete", "grande", "tu", "usted", "perro"],
          ],
          grammar: ["articles"],
          exercises: [
            {
              id: "e01",
              type: "translate",
              prompt: "Quiero un café con leche.",
              promptLang: "es",
              answers: ["I want [a] coffee with milk."],
            },
            {
              id: "e02",
              type: "translate",
              prompt: "Lucía's dog wants milk.",
              promptLang: "en",
              answers: ["El perro con Lucía quiere leche."],
            },
            { id: "e03", type: "typing", prompt: "without milk", answers: ["sin leche"] },
            {
              id: "e04",
              type: "fill_blank",
              text: "Usted quiere leche ___ café.",
              native: "You want milk without coffee.",
              answers: ["sin"],
            },
            {
              id: "e05",
              type: "select_missing",
              text: "Hola, ¿___ quieres un perro?",
              native: "Hello, do you want a dog? (to a friend)",
              right: "tú",
              distractors: ["usted", "sin"],
            },
            {
              id: "e06",
              type: "multiple_choice",
              prompt: "la leche",
              promptLang: "es",
              optionLang: "en",
              right: "the milk",
              distractors: ["the dog", "the coffee", "the ticket"],
            },
            {
              id: "e07",
              type: "match_pairs",
              pairs: [
                ["hola", "hello"],
                ["con", "with"],
                ["sin", "without"],
                ["el perro", "the dog"],
              ],
            },
            { id: "e08", type: "listening", text: "Hola, un café sin leche y un pasaje." },
            { id: "e09", type: "speaking", text: "El perro grande quiere un café." },
            {
              id: "e10",
              type: "word_order",
              prompt: "I want a ticket and a big dog.",
              answers: ["Quiero un billete y un perro grande."],
              extraTiles: ["una", "quieres"],
            },
          ],
        },
        {
          ...lesson,
          id: "cats",
          title: "Cats",
          teaches: ["gato"],
          exercises: [
            {
              id: "e01",
              type: "fill_blank",
              text: "El gato quiere un ___ y leche.",
              native: "The cat wants a ticket and milk.",
              answers: ["(billete|boleto|pasaje)"],
            },
            {
              id: "e02",
              type: "typing",
              prompt: "a big cat",
              hint: 'The word "gato" comes first.',
              answers: ["un gato grande"],
            },
          ],
        },
      ],
    },
  ],
  reference: {
    alphabet: [
      {
        id: "a",
        character: "a",
        pronunciation: "a",
        type: "vowel",
        difficulty: 1,
        examples: [{ word: "agua", translation: "water" }],
      },
    ],
    numbers: [{ value: 2, target: "dos" }],
    phrases: [{ id: "thanks", target: "Muchas gracias.", native: "Thank you.", context: "cafe" }],
    phonics: [
      { id: "a", sound: "always short", graphemes: ["a"], examples: [] },
      { id: "e", sound: "as in bed", graphemes: ["e"], examples: [] },
    ],
    grammar: [
      {
        id: "articles",
        title: "Articles",
        explanation: 'The masculine article is "el".',
        examples: [{ target: "el perro", native: "the dog" }],
      },
    ],
    dialogues: [
      {
        id: "at-home",
        scene: "Lucía is at home.",
        turns: [{ speaker: "Lucía", target: "Buenos días.", native: "Good morning." }],
      },
    ],
  },
});

const lesson = {
  level: "A1",
  category: "vocabulary",
  minutes: 5,
  xpReward: 15,
  perfectBonus: 8,
} as const;

export const word = (
  id: string,
  target: string,
  native: string,
  forms: string[] = [],
): WordSource => ({
  id,
  target,
  native,
  forms,
  pronunciation: "a",
  theme: "food",
});

/** In the lesson `coffee`, unless another one is named. */
export function exerciseOf<T extends ExerciseSource["type"]>(
  course: CourseSource,
  id: string,
  type: T,
  lessonId = "coffee",
): Extract<ExerciseSource, { type: T }> {
  const found = course.units
    .flatMap(({ lessons }) => lessons)
    .find((each) => each.id === lessonId)
    ?.exercises.find((exercise) => exercise.id === id && exercise.type === type);
  if (!found) throw new Error(`No exercise ${id} of type ${type} in ${lessonId}.`);
  return found as Extract<ExerciseSource, { type: T }>;
}

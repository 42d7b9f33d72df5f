import { describe, expect, it } from "vitest";
import { readAllowedWords } from "../../../dev/content/lint/allowed-words.js";
import { checkCourse } from "../../../dev/content/lint/check-course.js";
import { problemLine } from "../../../dev/content/lint/problem.js";
import { courseFolders, readCourse } from "../../../dev/content/read-course.js";
import type { CourseSource } from "../../../dev/content/source.js";
import { exerciseOf, smallCourse, word } from "./small-course.js";

const coffee = (exercise: string) => `units/drinks.yaml coffee ${exercise}:`;
const cats = (exercise: string) => `units/drinks.yaml cats ${exercise}:`;
const lessonOf = (course: CourseSource, id: string) => {
  const found = course.units.flatMap(({ lessons }) => lessons).find((lesson) => lesson.id === id);
  if (!found) throw new Error(`No lesson ${id}.`);
  return found;
};

type Fault = [fault: string, plant: (course: CourseSource) => void, problem: string];

const faults: Record<string, Fault[]> = {
  characters: [
    [
      "a letter with a separate mark",
      (course) => {
        exerciseOf(course, "e09", "speaking").text = "El perro grande quiere un cafe\u0301.";
      },
      `${coffee("e09")} Write "El perro grande quiere un cafe\u0301." in NFC: it has letters with separate marks.`,
    ],
    [
      "a curly apostrophe",
      (course) => {
        exerciseOf(course, "e02", "translate").prompt = "Lucía’s dog wants milk.";
      },
      `${coffee("e02")} Write the straight apostrophe ' for U+2019 in "Lucía’s dog wants milk.".`,
    ],
    [
      "curly quotes in a reference page",
      (course) => {
        course.info.tips = ["The word “perro” has a long r."];
      },
      'course.yaml: Write the straight quote " for U+201C in "The word “perro” has a long r.".',
    ],
    [
      "a space that does not break",
      (course) => {
        exerciseOf(course, "e03", "typing").answers = ["sin\u00a0leche"];
      },
      `${coffee("e03")} Write a plain space for U+00A0 in "sin\u00a0leche".`,
    ],
    [
      "an invisible character in a word",
      (course) => {
        course.words.push(word("te", "t\u200bé", "tea"));
      },
      'words.yaml: Remove the invisible U+200B in "t\u200bé".',
    ],
  ],
  duplicates: [
    [
      "two exercises with an ID",
      (course) => {
        exerciseOf(course, "e09", "speaking").id = "e08";
      },
      'units/drinks.yaml coffee: Keep the exercise ID "e08" once; it occurs 2 times (e08).',
    ],
    [
      "two exercises with a type and prompt",
      (course) => {
        lessonOf(course, "coffee").exercises.push({
          id: "e11",
          type: "typing",
          prompt: "Without milk",
          answers: ["sin leche"],
        });
      },
      'units/drinks.yaml coffee: Keep the type and prompt "typing without milk" once; it occurs 2 times (e03, e11).',
    ],
    [
      "two lessons with an ID",
      (course) => {
        lessonOf(course, "cats").id = "coffee";
      },
      'course.yaml: Keep the lesson ID "coffee" once; it occurs 2 times (coffee).',
    ],
    [
      "two words with a prompt",
      (course) => {
        course.words.push(word("hola-2", "buenas", "hello"));
      },
      'words.yaml: Keep the prompt of a card, "hello" once; it occurs 2 times (hola, hola-2).',
    ],
    [
      "a phrase twice",
      (course) => {
        course.reference.phrases.push({
          id: "thanks-2",
          target: "Muchas gracias.",
          native: "Thanks.",
          context: "cafe",
        });
      },
      'phrases.yaml: Keep the phrase "Muchas gracias." once; it occurs 2 times (Muchas gracias.).',
    ],
  ],
  references: [
    [
      "a taught word that is missing",
      (course) => {
        lessonOf(course, "cats").teaches.push("te");
      },
      "units/drinks.yaml cats: Add te to words.yaml, or do not teach it.",
    ],
    [
      "a word that no lesson teaches",
      (course) => {
        course.words.push(word("te", "té", "tea"));
      },
      "words.yaml: Teach te in a lesson, or remove it.",
    ],
    [
      "a word that two lessons teach",
      (course) => {
        lessonOf(course, "cats").teaches.push("hola");
      },
      "units/drinks.yaml cats: Do not teach hola again: coffee teaches it.",
    ],
    [
      "a grammar point that is missing",
      (course) => {
        lessonOf(course, "cats").grammar = ["plurals"];
      },
      "units/drinks.yaml cats: Add plurals to grammar.yaml, or do not name it.",
    ],
    [
      "a required lesson that comes later",
      (course) => {
        lessonOf(course, "coffee").requires = ["cats"];
      },
      "units/drinks.yaml coffee: Require an earlier lesson of the course: cats is not one.",
    ],
    [
      "a unit that is not named as its file",
      (course) => {
        course.info.units = ["coffees"];
      },
      "units/coffees.yaml: Write the ID coffees, as the file is named, for drinks.",
    ],
  ],
  templates: [
    [
      "a bracket without its pair",
      (course) => {
        exerciseOf(course, "e03", "typing").answers.push("[sin leche");
      },
      `${coffee("e03")} The template "[sin leche" has a bracket without its pair.`,
    ],
  ],
  tiles: [
    [
      "an answer that needs a word twice",
      (course) => {
        exerciseOf(course, "e10", "word_order").answers.push(
          "Quiero un billete y un perro y grande.",
        );
      },
      `${coffee("e10")} Remove "Quiero un billete y un perro y grande.", or make "y" a tile: the tiles cannot build it.`,
    ],
  ],
  distractors: [
    [
      "a distractor that differs by an accent",
      (course) => {
        exerciseOf(course, "e05", "select_missing").distractors = ["tu", "sin"];
      },
      `${coffee("e05")} Replace the distractor "tu": it is graded right.`,
    ],
    [
      "a distractor that is another translation of the word",
      (course) => {
        const [, , milk] = course.words;
        if (milk) milk.alsoNative = ["milk"];
        exerciseOf(course, "e06", "multiple_choice").distractors = ["milk", "the dog"];
      },
      `${coffee("e06")} Replace the distractor "milk": it is graded right.`,
    ],
    [
      "a distractor that is accepted as a translation elsewhere",
      (course) => {
        Object.assign(exerciseOf(course, "e06", "multiple_choice"), {
          prompt: "Quiero un café con leche.",
          right: "I want a coffee with milk.",
          distractors: ["I want coffee with milk.", "I want a ticket."],
        });
      },
      `${coffee("e06")} Replace the distractor "I want coffee with milk.": it is graded right.`,
    ],
    [
      "a distractor twice",
      (course) => {
        exerciseOf(course, "e05", "select_missing").distractors = ["sin", "sin"];
      },
      `${coffee("e05")} Replace the distractor "sin": it is there twice.`,
    ],
  ],
  pairs: [
    [
      "a pair that fits another one",
      (course) => {
        exerciseOf(course, "e07", "match_pairs").pairs[0] = ["el perro", "a dog"];
      },
      `${coffee("e07")} Replace el perro = a dog or el perro = the dog: they can be matched crosswise.`,
    ],
    [
      "a word whose other translation is in another pair",
      (course) => {
        const [hello] = course.words;
        if (hello) hello.alsoNative = ["with"];
      },
      `${coffee("e07")} Replace hola = hello or con = with: they can be matched crosswise.`,
    ],
  ],
  blanks: [
    [
      "a distractor that has the same meaning",
      (course) => {
        exerciseOf(course, "e05", "select_missing").native = "Hello, do you want a dog?";
      },
      `${coffee("e05")} Replace the distractor "usted", or let the translation decide: it fills the blank as well.`,
    ],
    [
      "a distractor that another exercise accepts for the same translation",
      (course) => {
        lessonOf(course, "cats").exercises.push({
          id: "e03",
          type: "translate",
          prompt: "Hello, do you want a dog? (to a friend)",
          promptLang: "en",
          answers: ["Hola, ¿[sin] quieres un perro?"],
        });
      },
      `${coffee("e05")} Replace the distractor "sin", or let the translation decide: it fills the blank as well.`,
    ],
    [
      "a synonym that is not accepted",
      (course) => {
        exerciseOf(course, "e01", "fill_blank", "cats").answers = ["(billete|boleto)"];
      },
      `${cats("e01")} Accept "pasaje" as well, or let the translation decide: it fills the blank.`,
    ],
    [
      "a word that another exercise accepts for the same translation",
      (course) => {
        lessonOf(course, "cats").exercises.push({
          id: "e03",
          type: "translate",
          prompt: "The cat wants a ticket and milk.",
          promptLang: "en",
          answers: ["El gato quiere un café y leche."],
        });
      },
      `${cats("e01")} Accept "café" as well, or let the translation decide: it fills the blank.`,
    ],
  ],
  "taught words": [
    [
      "a word that a later lesson teaches",
      (course) => {
        exerciseOf(course, "e09", "speaking").text = "El gato grande quiere un café.";
      },
      `${coffee("e09")} Use another word for "gato", or teach it by now: no lesson up to this one does.`,
    ],
    [
      "a tile that no lesson teaches",
      (course) => {
        exerciseOf(course, "e10", "word_order").extraTiles = ["queso"];
      },
      `${coffee("e10")} Use another word for "queso", or teach it by now: no lesson up to this one does.`,
    ],
  ],
  hints: [
    [
      "a hint that holds the answer without its accent",
      (course) => {
        exerciseOf(course, "e05", "select_missing").hint = 'Use "Tu".';
      },
      `${coffee("e05")} Write a hint that does not hold the answer "tú".`,
    ],
  ],
  "untranslated texts": [
    [
      "an answer that is the prompt",
      (course) => {
        exerciseOf(course, "e03", "typing").answers.push("Without milk");
      },
      `${coffee("e03")} Translate "Without milk": source and target are equal.`,
    ],
    [
      "a phrase that is its translation",
      (course) => {
        course.reference.phrases.push({
          id: "taxi",
          target: "¡Taxi!",
          native: "Taxi!",
          context: "travel",
        });
      },
      'phrases.yaml: Translate "¡Taxi!": source and target are equal.',
    ],
  ],
  spelling: [
    [
      "a target word that the dictionary does not know",
      (course) => {
        course.reference.phrases.push({
          id: "please",
          target: "Por fabor.",
          native: "Please.",
          context: "cafe",
        });
      },
      'phrases.yaml: Correct the spelling of "fabor", or add it to spelling.yaml under es.',
    ],
    [
      "a native word that the dictionary does not know",
      (course) => {
        exerciseOf(course, "e03", "typing").prompt = "withuot milk";
      },
      `${coffee("e03")} Correct the spelling of "withuot", or add it to spelling.yaml under en.`,
    ],
    [
      "a word of an explanation that no dictionary knows",
      (course) => {
        course.info.tips = ['The wrod "perro" has a long r.'];
      },
      'course.yaml: Correct the spelling of "wrod", or add it to spelling.yaml under en.',
    ],
    [
      "a language without a dictionary",
      (course) => {
        course.info.native = "cy";
      },
      "course.yaml: Add a dictionary of cy to dev/content/lint/dictionaries.ts.",
    ],
  ],
  "confusable words": [
    [
      "a word that may be meant to be another taught one",
      (course) => {
        course.words.push(word("el-he", "él", "he"));
        lessonOf(course, "cats").teaches.push("el-he");
      },
      `${cats("e01")} Check that "el" is not meant to be "él", and add it to \`confirmed\` of the lesson.`,
    ],
    [
      "a confirmation that is not needed",
      (course) => {
        lessonOf(course, "cats").confirmed = ["el"];
      },
      'units/drinks.yaml cats: Remove "el" from `confirmed`: the lesson has no such word, or only one of its pair is taught yet.',
    ],
  ],
  "language of texts": [
    [
      "a sentence in the other language of the course",
      (course) => {
        exerciseOf(course, "e01", "translate").answers.push("Quiero un café con leche, Lucía.");
      },
      `${coffee("e01")} Write "Quiero un café con leche, Lucía." in English.`,
    ],
    [
      "a sentence in a third language",
      (course) => {
        course.reference.phrases.push({
          id: "water",
          target: "Ich möchte ein Glas Wasser.",
          native: "I would like a glass of water.",
          context: "cafe",
        });
      },
      'phrases.yaml: Write "Ich möchte ein Glas Wasser." in Spanish.',
    ],
  ],
  patterns: [
    [
      "sentences that fill one pattern",
      (course) => {
        exerciseOf(course, "e08", "listening").text = "El perro grande quiere un billete.";
      },
      "units: Write other target sentences: 2 of 9 equal another one but for one word, and at most 10 % may. " +
        'The most frequent patterns: "el perro grande quiere un …".',
    ],
  ],
  amounts: [
    [
      "a unit without a type of exercise",
      (course) => {
        const lesson = lessonOf(course, "coffee");
        lesson.exercises = lesson.exercises.filter(({ type }) => type !== "speaking");
      },
      "units/drinks.yaml: Add an exercise of type speaking.",
    ],
    [
      "too few phrases",
      (course) => {
        course.reference.phrases = [];
      },
      "course.yaml: Add phrases: a course has at least 60, this one 0.",
    ],
  ],
};

const linesOf = async (course: CourseSource, allowed = {}) =>
  (await checkCourse(course, allowed)).map(problemLine);

// The first test reads the dictionaries.
describe("the check of a course", { timeout: 60_000 }, () => {
  it("finds a small course right, but for its size", async () => {
    expect(await linesOf(smallCourse())).toEqual([
      "course.yaml: Add words: a course has at least 150, this one 14.",
      "course.yaml: Add phrases: a course has at least 60, this one 1.",
      "course.yaml: Add grammar points: a course has at least 20, this one 1.",
      "course.yaml: Add dialogues: a course has at least 6, this one 1.",
      "course.yaml: Add lessons: a course has at least 20, this one 2.",
      "course.yaml: Add units: a course has at least 4, this one 1.",
    ]);
  });

  for (const [rule, planted] of Object.entries(faults)) {
    it.each(planted)(`finds in ${rule}: %s`, async (_, plant, problem) => {
      const course = smallCourse();
      plant(course);
      expect(await linesOf(course)).toContain(problem);
    });
  }

  it("accepts an allowed word, and reports one that no text has", async () => {
    const course = smallCourse();
    exerciseOf(course, "e03", "typing").prompt = "withuot milk";
    const lines = await linesOf(course, { en: ["withuot", "centre"] });
    expect(lines.filter((line) => /spelling/.test(line))).toEqual([
      "spelling.yaml: Remove centre under en: no text needs it.",
    ]);
  });

  it("accepts a confirmed word", async () => {
    const course = smallCourse();
    course.words.push(word("el-he", "él", "he"));
    Object.assign(lessonOf(course, "cats"), { teaches: ["gato", "el-he"], confirmed: ["el"] });
    expect((await linesOf(course)).filter((line) => /confirmed/.test(line))).toEqual([]);
  });

  it("accepts a hint that names another word, and one letter that is an article", async () => {
    const course = smallCourse();
    exerciseOf(course, "e03", "typing").hint = "It begins with a preposition.";
    exerciseOf(course, "e03", "typing").answers.push("a");
    expect((await linesOf(course)).filter((line) => /hint/.test(line))).toEqual([]);
  });
});

describe("the courses", { timeout: 60_000 }, () => {
  it.each(courseFolders())("has no problem in %s", async (folder) => {
    expect(await linesOf(readCourse(folder), readAllowedWords(folder))).toEqual([]);
  });
});

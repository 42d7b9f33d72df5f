import type { Course, LearnContent, Lesson, Word } from "../../lib/content/bodies.js";
import type { ShownExercise } from "../../lib/content/exercises.js";
import type { CompiledKeys } from "../../lib/grading/compiled-keys.js";
import { type CourseWords, courseWordsOf } from "../../lib/grading/course-words.js";
import type { Exercise } from "../../lib/grading/grade.js";
import { compileKeys } from "../../lib/grading/keys.js";
import { expandTemplate } from "../../lib/grading/template.js";
import { contentId } from "./ids.js";
import type { CourseSource, ExerciseSource, LessonSource, WordSource } from "./source.js";

/** A version of a course as rows. */
interface CompiledCourse {
  course: Course;
  learn: LearnContent;
  lessons: CompiledLesson[];
  words: CompiledWord[];
}

interface CompiledLesson {
  id: string;
  position: number;
  unit: number;
  requires: string[];
  xpReward: number;
  perfectBonus: number;
  lesson: Lesson;
  exercises: ShownExercise[];
  /** By the ID of the exercise. */
  keys: Record<string, Exercise>;
  words: string[];
}

interface CompiledWord {
  id: string;
  position: number;
  word: Word;
  keys: CompiledKeys;
}

interface Compilation {
  source: CourseSource;
  courseId: string;
  /** Of the target language. */
  courseWords: CourseWords;
}

export function compileCourse(source: CourseSource): CompiledCourse {
  const { name, info, units, words, reference } = source;
  const courseId = contentId(name);
  const taught = words.flatMap(({ target, forms = [] }) => [...expandTemplate(target), ...forms]);
  const courseWords = courseWordsOf(taught, info.target);
  const compilation = { source, courseId, courseWords };
  const wordOf = new Map(words.map((word) => [word.id, shownWord(compilation, word)]));
  const inOrder = units.flatMap((unit, index) =>
    unit.lessons.map((lesson) => ({ lesson, unit: index + 1 })),
  );
  const lessons = inOrder.map(({ lesson, unit }, position) => {
    const before = inOrder[position - 1]?.lesson.id;
    const requires = lesson.requires ?? (before === undefined ? [] : [before]);
    return compileLesson(compilation, { source: lesson, unit, position, requires, wordOf });
  });
  const shownLessons = new Map(lessons.map(({ id, lesson }) => [id, lesson]));
  return {
    course: {
      id: courseId,
      targetLanguage: info.target,
      nativeLanguage: info.native,
      title: info.title,
      description: info.description,
      version: info.version,
      lessons: lessons.length,
      words: words.length,
      units: units.map((unit) => ({
        title: unit.title,
        description: unit.description,
        lessons: unit.lessons.map(({ id }) =>
          summaryOf(shownLessons.get(contentId(name, "lesson", id))),
        ),
      })),
    },
    learn: {
      ...reference,
      phrases: reference.phrases.map(({ id: _, ...phrase }) => phrase),
      tips: info.tips,
      commonWords: [...wordOf.values()].map(({ id: _, ...word }) => word),
    },
    lessons,
    words: words.map((word, position) => ({
      id: contentId(name, "word", word.id),
      position,
      word: shownWord(compilation, word),
      keys: compileKeys([word.target], {
        lang: info.target,
        prompt: word.native,
        courseWords,
        ...(word.reading !== undefined && { readings: [word.reading] }),
      }),
    })),
  };
}

interface LessonToCompile {
  source: LessonSource;
  unit: number;
  position: number;
  /** Slugs. */
  requires: string[];
  wordOf: ReadonlyMap<string, Word>;
}

function compileLesson(
  compilation: Compilation,
  { source, unit, position, requires, wordOf }: LessonToCompile,
): CompiledLesson {
  const { courseId } = compilation;
  const { name, info } = compilation.source;
  const idOf = (slug: string) => contentId(name, "lesson", slug);
  const compiled = source.exercises.map((exercise) =>
    compileExercise(compilation, contentId(name, "lesson", source.id, exercise.id), exercise),
  );
  const words = source.teaches.map((slug) => {
    const word = wordOf.get(slug);
    if (!word) throw new Error(`${name}: lesson ${source.id} teaches ${slug}, which is no word.`);
    return word;
  });
  const { id: slug, exercises: _, teaches, grammar, ...about } = source;
  const lesson: Lesson = {
    id: idOf(slug),
    courseId,
    version: info.version,
    unit,
    title: about.title,
    level: about.level,
    category: about.category,
    minutes: about.minutes,
    xpReward: about.xpReward,
    perfectBonus: about.perfectBonus,
    requires: requires.map(idOf),
    exercises: compiled.length,
    exerciseTypes: [...new Set(compiled.map(({ shown }) => shown.type))],
    words,
  };
  return {
    id: lesson.id,
    position,
    unit,
    requires: lesson.requires,
    xpReward: lesson.xpReward,
    perfectBonus: lesson.perfectBonus,
    lesson,
    exercises: compiled.map(({ shown }) => shown),
    keys: Object.fromEntries(compiled.map(({ shown, key }) => [shown.id, key])),
    words: words.map(({ id }) => id),
  };
}

function summaryOf(lesson: Lesson | undefined) {
  if (!lesson) throw new Error("A unit names a lesson that was not compiled.");
  const { courseId, version, unit, exerciseTypes, words, ...summary } = lesson;
  return summary;
}

function shownWord({ source }: Compilation, word: WordSource): Word {
  return {
    id: contentId(source.name, "word", word.id),
    target: expandTemplate(word.target)[0] ?? "",
    native: word.native,
    pronunciation: word.pronunciation,
    theme: word.theme,
  };
}

function compileExercise(
  { source: { info }, courseWords }: Compilation,
  id: string,
  source: ExerciseSource,
): { shown: ShownExercise; key: Exercise } {
  const { target, native } = info;
  const { hint, script, accents } = source;
  const common = { id, ...(hint !== undefined && { hint }) };
  const written = { ...common, ...(script && { script }) };
  const keysOf = (answers: string[], lang: string, prompt?: string) =>
    compileKeys(answers, {
      lang,
      ...(prompt !== undefined && { prompt }),
      ...(script && { script }),
      ...(lang === target && { courseWords }),
    });
  const exact = accents === "exact" ? { accents } : {};
  switch (source.type) {
    case "translate": {
      const { type, prompt, promptLang } = source;
      const answerLang = promptLang === target ? native : target;
      return {
        shown: { ...written, type, prompt, promptLang, answerLang },
        key: { type, prompt, keys: keysOf(source.answers, answerLang, prompt), ...exact },
      };
    }
    case "typing": {
      const { type, prompt } = source;
      return {
        shown: { ...written, type, prompt, promptLang: native, answerLang: target },
        key: { type, prompt, keys: keysOf(source.answers, target, prompt), ...exact },
      };
    }
    case "fill_blank": {
      const { type, text } = source;
      return {
        shown: { ...written, type, text, native: source.native, answerLang: target },
        key: { type, keys: keysOf(source.answers, target, text), ...exact },
      };
    }
    case "select_missing": {
      const { type, text } = source;
      const { options, optionId } = optionsOf(source);
      return {
        shown: { ...common, type, text, native: source.native, options },
        key: { type, optionId },
      };
    }
    case "multiple_choice": {
      const { type, prompt, promptLang, optionLang } = source;
      const { options, optionId } = optionsOf(source);
      return {
        shown: { ...common, type, prompt, promptLang, optionLang, options },
        key: { type, optionId },
      };
    }
    case "match_pairs": {
      const { type, pairs } = source;
      const left = choices(
        "l",
        pairs.map(([each]) => each),
      );
      const right = choices(
        "r",
        pairs.map(([, each]) => each),
      );
      return {
        shown: { ...common, type, left, right },
        key: { type, pairs: pairs.map(([one, other]) => [idOf(left, one), idOf(right, other)]) },
      };
    }
    case "listening": {
      const { type, text, answers = [text] } = source;
      return {
        shown: { ...written, type, text, answerLang: target },
        key: { type, keys: keysOf(answers, target), ...exact },
      };
    }
    case "speaking": {
      const { type, text } = source;
      return {
        shown: { ...written, type, text, answerLang: target },
        key: { type, keys: keysOf([text], target) },
      };
    }
    case "word_order": {
      const { type, prompt, answers, extraTiles } = source;
      const [text = ""] = expandTemplate(answers[0] ?? "");
      const tiles = choices("t", [...text.split(" ").map(bare), ...extraTiles]);
      return {
        shown: { ...common, type, prompt, promptLang: native, answerLang: target, tiles },
        key: {
          type,
          keys: keysOf(answers, target, prompt),
          tiles,
        },
      };
    }
  }
}

/** Sorted by text, so that neither order nor IDs tell what is right. */
function choices(prefix: string, texts: string[]) {
  return texts.toSorted().map((text, index) => ({ id: `${prefix}${index + 1}`, text }));
}

function optionsOf({ right, distractors }: { right: string; distractors: string[] }) {
  const options = choices("o", [right, ...distractors]);
  return { options, optionId: idOf(options, right) };
}

const idOf = (all: { id: string; text: string }[], text: string): string =>
  all.find((each) => each.text === text)?.id ?? "";

/** A tile without the punctuation that tells its place; names keep their capital. */
const bare = (word: string) => word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");

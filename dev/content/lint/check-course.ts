import type { CourseSource } from "../source.js";
import type { AllowedWords } from "./allowed-words.js";
import { amounts } from "./amounts.js";
import { blanks } from "./blanks.js";
import { characters } from "./characters.js";
import { confusableWords } from "./confusable-words.js";
import { openDictionaries } from "./dictionaries.js";
import { distractors } from "./distractors.js";
import { duplicates } from "./duplicates.js";
import { hints } from "./hints.js";
import { pairs } from "./pairs.js";
import { patterns } from "./patterns.js";
import type { Problem, Rule } from "./problem.js";
import { references } from "./references.js";
import { spelling } from "./spelling.js";
import { taughtWords } from "./taught-words.js";
import { templates } from "./templates.js";
import { textLanguage } from "./text-language.js";
import { tiles } from "./tiles.js";
import { untranslated } from "./untranslated.js";

const rules: readonly Rule[] = [
  characters,
  duplicates,
  references,
  templates,
  tiles,
  distractors,
  pairs,
  blanks,
  taughtWords,
  hints,
  untranslated,
  confusableWords,
  textLanguage,
  patterns,
  amounts,
];

/** `allowed`: the words of the course that no dictionary knows. */
export async function checkCourse(course: CourseSource, allowed: AllowedWords): Promise<Problem[]> {
  const dictionaries = await openDictionaries([course.info.target, course.info.native]);
  return [...rules, spelling(dictionaries, allowed)].flatMap((rule) => rule(course));
}

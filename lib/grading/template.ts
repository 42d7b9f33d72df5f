const expansionsMax = 500;
const depthMax = 20;
/** Stands for an optional part that was left out, until the white space around it is known. */
const omitted = "\0";

/**
 * The texts of a template of accepted answers: `[x]` is optional, `(a|b)` one of. White space collapses; none is added,
 * because in Japanese it separates words. Throws for a malformed template and for more than 500 texts.
 */
export function expandTemplate(template: string): string[] {
  const fail = (reason: string): never => {
    throw new Error(`The template "${template}" ${reason}.`);
  };
  if (template.includes(omitted)) fail("has a NUL");
  let at = 0;

  function sequence(depth: number): string[] {
    if (depth > depthMax) fail(`is nested deeper than ${depthMax}`);
    let texts = [""];
    while (at < template.length && !"|])".includes(template[at] ?? "")) {
      const parts = part(depth);
      if (texts.length * parts.length > expansionsMax) fail(`has more than ${expansionsMax} texts`);
      texts = texts.flatMap((text) => parts.map((next) => text + next));
    }
    return texts;
  }

  function part(depth: number): string[] {
    const [first = ""] = template.slice(at);
    if (first === "[" || first === "(") return group(depth, first === "[");
    const [plain = ""] = /^[^[\](|)]+/.exec(template.slice(at)) ?? [];
    at += plain.length;
    return [plain];
  }

  function group(depth: number, isOptional: boolean): string[] {
    const alternatives: string[] = [];
    do {
      at += 1;
      const texts = sequence(depth + 1);
      if (texts.every((text) => text.trim() === "")) fail("has an empty alternative");
      alternatives.push(...texts);
    } while (template[at] === "|");
    if (template[at] !== (isOptional ? "]" : ")")) fail("has a bracket without its pair");
    at += 1;
    return isOptional ? [...alternatives, omitted] : alternatives;
  }

  const texts = sequence(0);
  if (at < template.length)
    fail(template[at] === "|" ? "has a | outside brackets" : "has a bracket without its pair");
  const clean = [...new Set(texts.map(tidy))];
  if (clean.includes("")) fail("has an empty text");
  return clean;
}

/** What is left out takes the space before it along, before a punctuation mark too. */
const tidy = (text: string): string =>
  text
    .replace(/\s+/g, " ")
    .replace(/ ?\0(?: ?\0)* ?(?=[.,!?;:…。、]|$)/g, "")
    .replaceAll(omitted, "")
    .replace(/ +/g, " ")
    .trim();

import { expandTemplate } from "../../../lib/grading/template.js";

const remembered = new Map<string, readonly string[]>();

/** Empty for a malformed template, which the rule of templates reports. */
export function templateTexts(template: string): readonly string[] {
  const known = remembered.get(template);
  if (known) return known;
  const texts = expandOrEmpty(template);
  remembered.set(template, texts);
  return texts;
}

function expandOrEmpty(template: string): readonly string[] {
  try {
    return expandTemplate(template);
  } catch {
    return [];
  }
}

import { grade } from "../../../lib/grading/grade.js";
import { compileKeys, type KeyOptions } from "../../../lib/grading/keys.js";

/** Whether the grader calls a text right. Typos are not forgiven, as nowhere where options are shown. */
export function acceptedBy(
  templates: readonly string[],
  options: KeyOptions & { accents?: "exact" | undefined },
): (text: string) => boolean {
  const { accents = "forgiven", ...keyOptions } = options;
  const exercise = {
    type: "fill_blank",
    keys: compileKeys(templates, keyOptions),
    accents,
  } as const;
  return (text) => grade({ text }, exercise)?.verdict !== "wrong";
}

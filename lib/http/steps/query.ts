import { AppError, type FieldError } from "../../errors.js";
import type { Call } from "../exchange.js";
import { isStorable } from "./json-body.js";
import { jsonPointer } from "./json-pointer.js";
import { fieldErrorsMax, validated } from "./validation.js";

/** Undefined when the endpoint declares none. Throws `validation_failed`, also for a repeated parameter. */
export function validQuery({ endpoint: { query }, url }: Call): unknown {
  if (!query) return undefined;
  const given = new Map<string, string>();
  const refused: FieldError[] = [];
  for (const [name, value] of url.searchParams) {
    if (!isStorable(name)) refused.push(refusal([], "invalid_text"));
    else if (!isStorable(value)) refused.push(refusal([name], "invalid_text"));
    else if (given.has(name)) refused.push(refusal([name], "repeated"));
    given.set(name, value);
  }
  if (refused.length > 0) {
    throw new AppError("validation_failed", { fields: refused.slice(0, fieldErrorsMax) });
  }
  return validated(query, Object.fromEntries(given));
}

const messages = {
  invalid_text: "Text must not hold NUL.",
  repeated: "This parameter is there more than once.",
};

const refusal = (path: string[], code: keyof typeof messages): FieldError => ({
  pointer: jsonPointer(path),
  code,
  message: messages[code],
});

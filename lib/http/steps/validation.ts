import type * as z from "zod";
import { AppError, type FieldError } from "../../errors.js";
import { jsonPointer } from "./json-pointer.js";

export const fieldErrorsMax = 20;

/** Throws `validation_failed` with pointers to the first 20 invalid fields. */
export function validated<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = result.error.issues.slice(0, fieldErrorsMax).flatMap(fieldErrors);
  throw new AppError("validation_failed", { fields: fields.slice(0, fieldErrorsMax) });
}

function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.slice(0, fieldErrorsMax).map((key) => ({
      pointer: jsonPointer([...issue.path, key]),
      code: issue.code,
      message: "Unknown field.",
    }));
  }
  return [
    { pointer: jsonPointer(issue.path), code: issue.code ?? "invalid", message: issue.message },
  ];
}

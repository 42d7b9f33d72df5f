import * as z from "zod";
import { FailedError } from "./failures.js";
import { type HttpAnswer, requireSuccess } from "./http.js";

/**
 * The fields that the schema knows; as JSON, the whole reply. A newer release may add fields and values: only a missing
 * field or one of another type is an error. Throws `FailedError`.
 */
export function readReply<S extends z.ZodType>(schema: S, answer: HttpAnswer): z.output<S> {
  const { status, body, received } = answer;
  const unexpected = { code: "unexpected_reply", status };
  if (body === undefined) {
    throw new FailedError(
      `${received}, not with JSON. Is this the deployment? Check --url.`,
      unexpected,
    );
  }
  const fault = schema.safeParse(body, { reportInput: true }).error?.issues.find(isFault);
  if (!fault) {
    const known = knownFields(schema, body) as object;
    return Object.defineProperty(known, "toJSON", { value: () => body }) as z.output<S>;
  }
  const where = fault.path.length > 0 ? `“${fault.path.join(".")}”` : "the body";
  const problem = fault.input === undefined ? "is missing" : "has another type";
  throw new FailedError(
    `${received}, which this release of the CLI cannot read: ${where} ${problem}.`,
    unexpected,
  );
}

/** As `readReply`, after throwing the error of an error status. */
export function replyOf<S extends z.ZodType>(schema: S, answer: HttpAnswer): z.output<S> {
  requireSuccess(answer);
  return readReply(schema, answer);
}

function isFault(issue: z.core.$ZodIssue): boolean {
  if (issue.code === "invalid_type") return true;
  if (issue.code === "invalid_value") return typeof issue.input !== "string";
  return issue.code === "invalid_union" && issue.errors.every((branch) => branch.some(isFault));
}

function knownFields(schema: z.core.$ZodType, value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) {
    return knownFields(schema.unwrap(), value);
  }
  if (schema instanceof z.ZodArray && Array.isArray(value)) {
    return value.map((item) => knownFields(schema.element, item));
  }
  if (!(schema instanceof z.ZodObject)) return value;
  const known = Object.entries(schema.shape).filter(([name]) => Object.hasOwn(value, name));
  return Object.fromEntries(
    known.map(([name, field]) => [
      name,
      knownFields(field, (value as Record<string, unknown>)[name]),
    ]),
  );
}

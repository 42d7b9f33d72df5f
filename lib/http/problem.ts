import { STATUS_CODES } from "node:http";
import * as z from "zod";
import { databaseUnavailable, isDatabaseUnavailable, lacksAccount } from "../db/failures.js";
import { AppError, catalogue, type ErrorCode } from "../errors.js";
import { Reply } from "./reply.js";

/** The body of an error (RFC 9457). Clients switch on `code`. */
export const Problem = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(catalogue) as [ErrorCode, ...ErrorCode[]]),
    correlationId: z.string(),
    retryable: z.boolean(),
    errors: z
      .array(z.strictObject({ pointer: z.string(), code: z.string(), message: z.string() }))
      .optional(),
  })
  .meta({ id: "Problem" });

/** An unavailable Postgres becomes `service_unavailable`, an erased account `session_revoked`, any other unexpected error `internal_error`. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (lacksAccount(error)) return new AppError("session_revoked", { cause: error });
  if (isDatabaseUnavailable(error)) return databaseUnavailable(error);
  return new AppError("internal_error", { cause: error });
}

export function problemReply(error: AppError, correlationId: string): Reply {
  const { status, message, retryable } = catalogue[error.code];
  const body: z.infer<typeof Problem> = {
    type: `urn:linguamate:problem:${error.code}`,
    title: STATUS_CODES[status] ?? "Error",
    status,
    detail: message,
    code: error.code,
    correlationId,
    retryable,
    ...(error.fields.length > 0 ? { errors: error.fields } : {}),
  };
  return new Reply(status, body, {
    "Content-Type": "application/problem+json",
    ...(status === 401 ? { "WWW-Authenticate": challenge(error.code) } : {}),
    ...(error.retryAfterSeconds === undefined
      ? {}
      : { "Retry-After": String(error.retryAfterSeconds) }),
    ...error.headers,
  });
}

const withoutToken: ErrorCode[] = [
  "token_missing",
  "invalid_credentials",
  "otp_required",
  "otp_invalid",
];

/** RFC 6750, section 3: the challenge names an error only when a token was sent. */
function challenge(code: ErrorCode): string {
  return withoutToken.includes(code)
    ? 'Bearer realm="linguamate"'
    : 'Bearer realm="linguamate", error="invalid_token"';
}

/**
 * Every error a caller can meet. A code never changes its meaning; messages may be reworded.
 * `retryable` says whether the same request may succeed later without a change.
 */
export const catalogue = {
  malformed_body: { status: 400, message: "The body is not well-formed.", retryable: false },
  malformed_url: { status: 400, message: "The URL is not well-formed.", retryable: false },
  token_missing: { status: 401, message: "An access token is needed.", retryable: false },
  token_invalid: { status: 401, message: "The token is not valid.", retryable: false },
  token_expired: {
    status: 401,
    message: "The access token has expired. Refresh it, then repeat the request.",
    retryable: false,
  },
  session_revoked: { status: 401, message: "This session has ended. Sign in.", retryable: false },
  session_expired: { status: 401, message: "This session has expired. Sign in.", retryable: false },
  invalid_credentials: {
    status: 401,
    message: "The e-mail or the password is wrong.",
    retryable: false,
  },
  method_not_allowed: {
    status: 405,
    message: "This method is not supported here.",
    retryable: false,
  },
  payload_too_large: { status: 413, message: "The body is too large.", retryable: false },
  unsupported_media_type: {
    status: 415,
    message: "The body must be application/json in UTF-8.",
    retryable: false,
  },
  host_not_allowed: { status: 421, message: "This host is not served here.", retryable: false },
  validation_failed: { status: 422, message: "Some fields are not valid.", retryable: false },
  upgrade_required: {
    status: 426,
    message: "This version of the app is no longer supported. Update it.",
    retryable: false,
  },
  rate_limited: { status: 429, message: "Too many requests. Try again later.", retryable: true },
  internal_error: { status: 500, message: "Something went wrong on our side.", retryable: false },
  service_unavailable: {
    status: 503,
    message: "The service is briefly unavailable. Try again.",
    retryable: true,
  },
} as const satisfies Record<string, { status: number; message: string; retryable: boolean }>;

export type ErrorCode = keyof typeof catalogue;

/** One refused field: an RFC 6901 pointer into the body. */
export interface FieldError {
  pointer: string;
  code: string;
  message: string;
}

interface Details {
  /** Never leaves the server. */
  cause?: unknown;
  fields?: FieldError[];
  retryAfterSeconds?: number;
  headers?: Record<string, string>;
}

/** An expected failure: the domain throws a code, the edge looks up its status and words. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly fields: FieldError[];
  readonly retryAfterSeconds: number | undefined;
  readonly headers: Record<string, string>;

  constructor(
    readonly code: ErrorCode,
    details: Details = {},
  ) {
    super(code, { cause: details.cause });
    this.fields = details.fields ?? [];
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.headers = details.headers ?? {};
  }
}

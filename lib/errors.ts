/**
 * Every error a caller can meet. A code never changes its meaning; messages may be reworded.
 * `retryable` says whether the same request may succeed later without a change.
 */
export const catalogue = {
  malformed_body: { status: 400, message: "The body is not well-formed.", retryable: false },
  idempotency_key_invalid: {
    status: 400,
    message:
      'The Idempotency-Key must be 8 to 128 characters (22 or more when signed out), without spaces, ", \\ and commas.',
    retryable: false,
  },
  rotation_id_invalid: {
    status: 400,
    message: "The Rotation-Id must be 22 to 128 characters, made of 128 random bits or more.",
    retryable: false,
  },
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
  otp_required: {
    status: 401,
    message: "This account has a second factor. Repeat with its code.",
    retryable: false,
  },
  otp_invalid: {
    status: 401,
    message: "The code of the second factor is wrong, or was used already.",
    retryable: false,
  },
  cron_secret_invalid: {
    status: 401,
    message: "Only the clock may call this.",
    retryable: false,
  },
  webhook_signature_invalid: {
    status: 401,
    message: "The signature does not fit.",
    retryable: false,
  },
  operator_token_ended: {
    status: 401,
    message: "This operators' token has expired or was revoked. Ask an admin for a new one.",
    retryable: false,
  },
  metrics_token_invalid: {
    status: 401,
    message: "Only the scraper may read this.",
    retryable: false,
  },
  forbidden: { status: 403, message: "This is not yours to do.", retryable: false },
  reauth_required: {
    status: 403,
    message: "Confirm that it is you, then repeat the request.",
    retryable: false,
  },
  email_unverified: {
    status: 403,
    message: "Confirm your e-mail address first.",
    retryable: false,
  },
  address_blocked: {
    status: 403,
    message: "Requests from this network are not served for now.",
    retryable: false,
  },
  account_blocked: { status: 403, message: "This account is blocked for now.", retryable: false },
  account_suspended: { status: 403, message: "This account is suspended.", retryable: false },
  deletion_pending: {
    status: 403,
    message: "This account is about to be deleted.",
    retryable: false,
  },
  not_found: { status: 404, message: "There is nothing here for you.", retryable: false },
  method_not_allowed: {
    status: 405,
    message: "This method is not supported here.",
    retryable: false,
  },
  body_timeout: {
    status: 408,
    message: "The body took too long to arrive. Send it again.",
    retryable: true,
  },
  password_not_set: {
    status: 409,
    message: "This account has no password yet. Register it, or choose one by mail.",
    retryable: false,
  },
  second_factor_enrolled: {
    status: 409,
    message: "A second factor is in use. Remove it first.",
    retryable: false,
  },
  second_factor_missing: {
    status: 409,
    message: "There is no second factor to do this with.",
    retryable: false,
  },
  second_factor_changed: {
    status: 409,
    message: "The second factor has changed since. Look at it again.",
    retryable: false,
  },
  account_unfit: {
    status: 409,
    message:
      "This account needs a confirmed address, and must be neither suspended nor about to be deleted.",
    retryable: false,
  },
  last_admin: {
    status: 409,
    message: "This is the last admin. Make another one first.",
    retryable: false,
  },
  operators_exist: {
    status: 409,
    message: "There are operators already: an admin among them grants roles.",
    retryable: false,
  },
  operator_token_exists: {
    status: 409,
    message: "There is a token of this name. Revoke it first, or choose another name.",
    retryable: false,
  },
  time_zone_changed_recently: {
    status: 409,
    message: "The time zone was changed less than 20 hours ago. Try again later.",
    retryable: true,
  },
  block_protected: {
    status: 409,
    message: "This would keep out you yourself or a trusted address.",
    retryable: false,
  },
  precondition_failed: {
    status: 412,
    message: "This was changed meanwhile. Read it, then repeat with its new ETag.",
    retryable: false,
  },
  payload_too_large: { status: 413, message: "The body is too large.", retryable: false },
  unsupported_media_type: {
    status: 415,
    message: "The body must be application/json in UTF-8.",
    retryable: false,
  },
  multipart_needed: {
    status: 415,
    message: "The body must be multipart/form-data.",
    retryable: false,
  },
  audio_unsupported: {
    status: 415,
    message: "The audio must be webm, ogg, mp4, mp3, wav, aac or 3gpp.",
    retryable: false,
  },
  host_not_allowed: { status: 421, message: "This host is not served here.", retryable: false },
  audio_too_long: {
    status: 422,
    message: "The audio must not be longer than 60 seconds.",
    retryable: false,
  },
  code_invalid: {
    status: 422,
    message: "The code is wrong or no longer valid.",
    retryable: false,
  },
  idempotency_mismatch: {
    status: 422,
    message: "This Idempotency-Key was used with another request.",
    retryable: false,
  },
  validation_failed: { status: 422, message: "Some fields are not valid.", retryable: false },
  upgrade_required: {
    status: 426,
    message: "This version of the app is no longer supported. Update it.",
    retryable: false,
  },
  precondition_required: {
    status: 428,
    message: "Say in If-Match which version is to be replaced.",
    retryable: false,
  },
  rate_limited: { status: 429, message: "Too many requests. Try again later.", retryable: true },
  internal_error: { status: 500, message: "Something went wrong on our side.", retryable: false },
  feature_disabled: {
    status: 503,
    message: "This part of the service is switched off for now.",
    retryable: true,
  },
  service_unavailable: {
    status: 503,
    message: "The service is briefly unavailable. Try again.",
    retryable: true,
  },
  toolkit_unavailable: {
    status: 503,
    message: "Speech and language services are briefly unavailable. Try again later.",
    retryable: true,
  },
} as const satisfies Record<string, { status: number; message: string; retryable: boolean }>;

export type ErrorCode = keyof typeof catalogue;

/** 5xx by which we refuse what an operator has switched off: for callers an outage, for us no error. */
const switchedOff: readonly ErrorCode[] = ["feature_disabled"];

/** The codes that are errors of ours: alerts count them, and they are logged as ERROR. */
export const serverErrorCodes = (Object.keys(catalogue) as ErrorCode[]).filter(
  (code) => catalogue[code].status >= 500 && !switchedOff.includes(code),
);

/** Whether an answer is an error of ours. One without a code is judged by its status alone. */
export function isServerError(status: number, code: string | null | undefined): boolean {
  return status >= 500 && !switchedOff.some((known) => known === code);
}

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

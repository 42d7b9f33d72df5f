/** Codes never change their meaning; messages may be reworded. `retryable`: a retry may succeed later. */
export const catalogue = {
  malformed_body: { status: 400, message: "The request body is malformed.", retryable: false },
  idempotency_key_invalid: {
    status: 400,
    message:
      "The Idempotency-Key must have 8 to 128 characters (22 or more when signed out), without spaces, quotation marks, backslashes or commas.",
    retryable: false,
  },
  rotation_id_invalid: {
    status: 400,
    message: "The Rotation-Id must have 22 to 128 characters and at least 128 random bits.",
    retryable: false,
  },
  malformed_url: { status: 400, message: "The URL is malformed.", retryable: false },
  token_missing: { status: 401, message: "An access token is required.", retryable: false },
  token_invalid: { status: 401, message: "Invalid token.", retryable: false },
  token_expired: {
    status: 401,
    message: "The access token has expired. Refresh it, then repeat the request.",
    retryable: false,
  },
  session_revoked: {
    status: 401,
    message: "This session was revoked. Sign in again.",
    retryable: false,
  },
  session_expired: {
    status: 401,
    message: "This session has expired. Sign in again.",
    retryable: false,
  },
  invalid_credentials: {
    status: 401,
    message: "The e-mail address or the password is wrong.",
    retryable: false,
  },
  otp_required: {
    status: 401,
    message: "A second-factor code is required. Repeat the request with it.",
    retryable: false,
  },
  otp_invalid: {
    status: 401,
    message: "The second-factor code is wrong or was already used.",
    retryable: false,
  },
  cron_secret_invalid: {
    status: 401,
    message: "Invalid cron secret.",
    retryable: false,
  },
  webhook_signature_invalid: {
    status: 401,
    message: "Invalid webhook signature.",
    retryable: false,
  },
  operator_token_ended: {
    status: 401,
    message: "This operator token has expired or was revoked. Ask an admin for a new one.",
    retryable: false,
  },
  metrics_token_invalid: {
    status: 401,
    message: "Invalid metrics token.",
    retryable: false,
  },
  forbidden: { status: 403, message: "You do not have permission to do this.", retryable: false },
  reauth_required: {
    status: 403,
    message: "Reauthenticate, then repeat the request.",
    retryable: false,
  },
  email_unverified: {
    status: 403,
    message: "Verify your e-mail address first.",
    retryable: false,
  },
  address_blocked: {
    status: 403,
    message: "This network is blocked for now.",
    retryable: false,
  },
  account_blocked: { status: 403, message: "This account is blocked for now.", retryable: false },
  account_suspended: { status: 403, message: "This account is suspended.", retryable: false },
  deletion_pending: {
    status: 403,
    message: "This account is pending deletion.",
    retryable: false,
  },
  premium_required: {
    status: 403,
    message: "This lesson needs premium.",
    retryable: false,
  },
  lesson_locked: {
    status: 403,
    message: "This lesson is locked. Complete the lessons before it first.",
    retryable: false,
  },
  not_found: { status: 404, message: "Not found.", retryable: false },
  method_not_allowed: {
    status: 405,
    message: "Method not allowed.",
    retryable: false,
  },
  body_timeout: {
    status: 408,
    message: "The request body took too long to arrive. Try again.",
    retryable: true,
  },
  password_not_set: {
    status: 409,
    message: "This account has no password. Register the guest account, or reset the password.",
    retryable: false,
  },
  second_factor_enrolled: {
    status: 409,
    message: "A second factor is already enrolled. Remove it first.",
    retryable: false,
  },
  second_factor_missing: {
    status: 409,
    message: "No second factor is enrolled.",
    retryable: false,
  },
  second_factor_changed: {
    status: 409,
    message: "The second factor has changed. Load it again.",
    retryable: false,
  },
  account_unfit: {
    status: 409,
    message:
      "The account must have a verified e-mail address and must not be suspended or pending deletion.",
    retryable: false,
  },
  last_admin: {
    status: 409,
    message: "This is the last admin. Grant the role to another account first.",
    retryable: false,
  },
  operators_exist: {
    status: 409,
    message: "There are operators already. Ask an admin to grant the role.",
    retryable: false,
  },
  operator_token_exists: {
    status: 409,
    message: "A token with this name exists. Revoke it or choose another name.",
    retryable: false,
  },
  time_zone_changed_recently: {
    status: 409,
    message: "The time zone was changed less than 20 hours ago. Try again later.",
    retryable: true,
  },
  backups_not_configured: {
    status: 409,
    message:
      "The server has no backup store: set NEON_API_KEY, or BACKUP_URL if it is self-hosted.",
    retryable: false,
  },
  backups_self_hosted: {
    status: 409,
    message:
      "`backup run` takes the backups each day and keeps them for 30 days, without a setup here. On its machine: `npm run backup -- take` or `list`; in containers: `docker-compose exec backup node .vercel/self-hosted/backup.mjs take` or `list`.",
    retryable: false,
  },
  block_protected: {
    status: 409,
    message: "This would block you, a trusted address or the server.",
    retryable: false,
  },
  erasures_unreadable: {
    status: 409,
    message:
      "No copy of the erasures can be read: the database may have accounts that were erased. Name a file with their IDs (`--erasures FILE`), or say that none was erased (`--erasures none`).",
    retryable: true,
  },
  content_changed: {
    status: 409,
    message: "Another version of this course has just been published. Read the versions again.",
    retryable: false,
  },
  attempt_not_open: {
    status: 409,
    message: "This attempt was completed or abandoned.",
    retryable: false,
  },
  attempt_incomplete: {
    status: 409,
    message: "Some exercises of this attempt have no right answer yet.",
    retryable: false,
  },
  precondition_failed: {
    status: 412,
    message: "The resource has changed. Read it, then repeat the request with its new ETag.",
    retryable: false,
  },
  payload_too_large: { status: 413, message: "The request body is too large.", retryable: false },
  unsupported_media_type: {
    status: 415,
    message: "The request body must be application/json in UTF-8.",
    retryable: false,
  },
  multipart_needed: {
    status: 415,
    message: "The request body must be multipart/form-data.",
    retryable: false,
  },
  audio_unsupported: {
    status: 415,
    message: "The audio must be webm, ogg, mp4, mp3, wav, aac or 3gpp.",
    retryable: false,
  },
  host_not_allowed: { status: 421, message: "Host not allowed.", retryable: false },
  audio_too_long: {
    status: 422,
    message: "The audio must not be longer than 60 seconds.",
    retryable: false,
  },
  code_invalid: {
    status: 422,
    message: "The code is wrong or has expired.",
    retryable: false,
  },
  idempotency_mismatch: {
    status: 422,
    message: "This Idempotency-Key or ID was used with another request.",
    retryable: false,
  },
  validation_failed: { status: 422, message: "Some fields are invalid.", retryable: false },
  upgrade_required: {
    status: 426,
    message: "This version of the app is no longer supported. Update it.",
    retryable: false,
  },
  precondition_required: {
    status: 428,
    message: "The If-Match header is required.",
    retryable: false,
  },
  rate_limited: { status: 429, message: "Too many requests. Try again later.", retryable: true },
  internal_error: { status: 500, message: "Internal server error.", retryable: false },
  feature_disabled: {
    status: 503,
    message: "This feature is temporarily switched off.",
    retryable: true,
  },
  restore_in_progress: {
    status: 503,
    message: "The service is being restored. Try again later.",
    retryable: true,
  },
  service_unavailable: {
    status: 503,
    message: "The service is temporarily unavailable. Try again.",
    retryable: true,
  },
  backup_store_unavailable: {
    status: 503,
    message:
      "The backup store refused the call or did not answer. The log line external_call_failed has the reason.",
    retryable: true,
  },
  redis_unavailable: {
    status: 503,
    message: "Redis does not answer or refuses writes.",
    retryable: true,
  },
  toolkit_unavailable: {
    status: 503,
    message: "Speech and language services are temporarily unavailable. Try again later.",
    retryable: true,
  },
} as const satisfies Record<string, { status: number; message: string; retryable: boolean }>;

export type ErrorCode = keyof typeof catalogue;

/** A 5xx for callers that is not an error of ours: an operator switched the feature off, or restores the database. */
export const switchedOffCodes: readonly ErrorCode[] = ["feature_disabled", "restore_in_progress"];

/** The last is what an outside service answers to a command of an operator, who sees it. */
const notOurErrors: readonly ErrorCode[] = [...switchedOffCodes, "backup_store_unavailable"];

/** Alerts count these codes, and they are logged as ERROR. */
export const serverErrorCodes = (Object.keys(catalogue) as ErrorCode[]).filter(
  (code) => catalogue[code].status >= 500 && !notOurErrors.includes(code),
);

export function isServerError(status: number, code: string | null | undefined): boolean {
  return status >= 500 && !notOurErrors.some((known) => known === code);
}

/** `pointer` is an RFC 6901 JSON pointer into the body. */
export interface FieldError {
  pointer: string;
  code: string;
  message: string;
}

interface Details {
  cause?: unknown;
  fields?: FieldError[];
  retryAfterSeconds?: number;
  headers?: Record<string, string>;
}

/** lib/http maps the code to its status and message. */
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

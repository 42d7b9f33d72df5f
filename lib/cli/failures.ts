/** 401, 403, or not signed in; exit status 3. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** Any other error status except 422 validation_failed, or no answer; exit status 1. */
export class FailedError extends Error {
  override readonly name = "FailedError";
}

export class NotFoundError extends FailedError {}

/** Wrong usage, also 422 validation_failed; exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

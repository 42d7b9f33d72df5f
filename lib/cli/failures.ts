/** 401 or 403. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** Any other error status, or no answer. */
export class FailedError extends Error {
  override readonly name = "FailedError";
}

export class NotFoundError extends FailedError {}

/** Wrong usage; exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

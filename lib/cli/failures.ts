/** The server refused: who asks may not, or has not shown enough. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** The server did not do it, or did not answer. */
export class FailedError extends Error {
  override readonly name = "FailedError";
}

/** The server has nothing under what was named. */
export class NotFoundError extends FailedError {}

/** Wrong usage: the message is for the person who typed it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

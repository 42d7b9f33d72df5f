/** A failure as --json prints it, with the message: the problem of the server, or a code of the CLI. */
export type FailureBody = { code: string } & Record<string, unknown>;

abstract class Failure extends Error {
  readonly body: FailureBody;

  constructor(message: string, body: FailureBody) {
    super(message);
    this.body = body;
  }
}

/** 401, 403, or not signed in; exit status 3. */
export class RefusedError extends Failure {
  override readonly name = "RefusedError";

  constructor(message: string, body: FailureBody = { code: "refused" }) {
    super(message, body);
  }
}

/** Any other error status except 422 validation_failed, or no answer; exit status 1. */
export class FailedError extends Failure {
  override readonly name = "FailedError";

  constructor(message: string, body: FailureBody = { code: "failed" }) {
    super(message, body);
  }
}

export class NotFoundError extends FailedError {}

/** No connection was made, so nothing was sent. */
export class UnreachableError extends FailedError {}

/** Wrong usage, also 422 validation_failed; exit status 2. */
export class UsageError extends Failure {
  override readonly name = "UsageError";

  constructor(message: string, body: FailureBody = { code: "usage" }) {
    super(message, body);
  }
}

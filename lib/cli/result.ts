/** Printed: `body` with --json, else `text`. */
export interface Result {
  body: unknown;
  text: string;
  /** True sets exit status 1. */
  isProblem?: boolean;
}

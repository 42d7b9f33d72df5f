/** What a command tells: `body` with --json, else `text`. */
export interface Result {
  body: unknown;
  text: string;
  /** True when a problem was found: the exit status is then 1. */
  isProblem?: boolean;
}

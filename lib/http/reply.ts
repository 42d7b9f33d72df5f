/** What a handler answers when the status alone does not follow from the endpoint, or with headers. */
export class Reply {
  constructor(
    readonly status: number,
    /** Sent as JSON; undefined sends no body. */
    readonly body: unknown,
    readonly headers: Record<string, string> = {},
  ) {}
}

import type { Endpoint } from "./endpoint.js";

/** What a handler answers when the status alone does not follow from the endpoint, or with headers. */
export class Reply {
  constructor(
    readonly status: number,
    /** Sent as JSON, unless it is a `TextBody`; undefined sends no body. */
    readonly body: unknown,
    readonly headers: Record<string, string> = {},
  ) {}
}

/** A body that is sent as it is. */
export class TextBody {
  constructor(
    readonly text: string,
    readonly contentType: string,
  ) {}
}

/** What a handler resolved to, as a reply: a plain result is sent with the endpoint's first status. */
export function replyOf({ replies }: Endpoint, result: unknown): Reply {
  return result instanceof Reply ? result : new Reply(Number(Object.keys(replies)[0]), result);
}

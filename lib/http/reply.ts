import type * as z from "zod";

type ReplyHeader = "ETag" | "Content-Disposition";

/** The schema of a body, or null for none. */
export type ReplyBody = z.ZodType | null;

export interface ReplyContract {
  body: ReplyBody;
  /** `text/…` sends the string that the handler returns. */
  contentType?: string;
  /** The handler returns the parts of a JSON text, which `body` describes. */
  isStreamed?: true;
  /** The handler always sets these. */
  headers?: readonly ReplyHeader[];
}

export type Replies = Readonly<Record<number, ReplyBody | ReplyContract>>;

type Sent<R> = R extends z.ZodType
  ? z.output<R>
  : R extends { isStreamed: true }
    ? AsyncGenerator<string, void>
    : R extends { body: infer B extends z.ZodType }
      ? z.output<B>
      : // biome-ignore lint/suspicious/noConfusingVoidType: a handler without a reply body returns nothing.
        void | undefined;

type IsUnion<T, U = T> = T extends unknown ? ([U] extends [T] ? false : true) : never;

type ReplyOf<R extends Replies> = {
  [S in keyof R & number]: Reply<S, Sent<R[S]>>;
}[keyof R & number];

/** A declared reply, or the bare body where only one status is declared. */
export type Result<R extends Replies> =
  | ReplyOf<R>
  | (IsUnion<keyof R> extends true ? never : Sent<R[keyof R]>);

export class Reply<const S extends number = number, B = unknown> {
  constructor(
    readonly status: S,
    readonly body: B,
    readonly headers: Record<string, string> = {},
  ) {}
}

export function contractOf(reply: ReplyBody | ReplyContract): ReplyContract {
  return reply !== null && "body" in reply ? reply : { body: reply };
}

/** A bare body gets the (first) declared status; a reply without a content type gets the declared one. */
export function replyOf(replies: Replies, result: unknown): Reply {
  const reply =
    result instanceof Reply ? result : new Reply(Number(Object.keys(replies)[0]), result);
  const { contentType } = contractOf(replies[reply.status] ?? null);
  return contentType === undefined
    ? reply
    : new Reply(reply.status, reply.body, { "Content-Type": contentType, ...reply.headers });
}

import type * as z from "zod";
import { keepCached, type Published } from "../content/cache.js";
import type { Context } from "../context.js";
import { AppError } from "../errors.js";
import { type Endpoint, endpoint } from "./endpoint.js";
import { sharedReply } from "./shared-reply.js";

interface Spec<R extends z.ZodType, Q extends z.ZodType | undefined> {
  summary: string;
  query?: Q;
  reply: R;
  /** Names the reply among all of the catalogue. */
  cachedAs(input: { params: Record<string, string>; url: URL }): string;
  /** Null when there is no such content. */
  read(input: {
    ctx: Context;
    params: Record<string, string>;
    query: Q extends z.ZodType ? z.output<Q> : undefined;
  }): Promise<Published<z.output<R>> | null>;
}

/** A read for all callers, that an edge may cache: from Redis, or else from Postgres. 404 when there is no such content. */
export function catalogueEndpoint<
  R extends z.ZodType,
  Q extends z.ZodType | undefined = undefined,
>({ summary, query, reply, cachedAs, read }: Spec<R, Q>): Endpoint {
  return endpoint({
    summary,
    auth: "anonymous",
    limits: ["default"],
    isShared: true,
    cachedAs,
    ...(query && { query }),
    headers: ["If-None-Match"],
    replies: {
      200: { body: reply, headers: ["ETag"] },
      304: { body: null, headers: ["ETag"] },
    },
    errors: ["not_found"],
    async handle(input) {
      const { ctx, params, caller, headers } = input;
      const held = caller.cached?.text ?? null;
      ctx.requestMetrics.contentCache = held === null ? "miss" : "hit";
      const text = held ?? (await readText());
      // A generic schema hides from the compiler that the body is of it.
      return sharedReply(text, headers) as never;

      async function readText(): Promise<string> {
        const { query } = input as unknown as Parameters<typeof read>[0];
        const published = await read({ ctx, params, query });
        if (!published) throw new AppError("not_found");
        const text = JSON.stringify(published.body);
        const { name } = caller.cached ?? {};
        if (name) ctx.after(() => keepCached(ctx, published.revision, name, text));
        return text;
      }
    },
  });
}

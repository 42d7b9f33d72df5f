import type { Requester } from "@upstash/redis";
import type { RedisCall } from "../platform/platform.js";

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

type Command = (string | number)[];
type Reply = { result?: unknown; error?: string };

/**
 * A Lua script that names every key it touches. The flag keeps Upstash from locking the whole database
 * for it.
 */
export const script = (body: string) => `#!lua flags=allow-key-locking\n${body}`;

/**
 * Commands of one request, collected and sent as one pipeline by `send`.
 *
 * It is also the `redis` that @upstash/ratelimit is given: the limiter's script joins the pipeline, and
 * after a NOSCRIPT only that script is sent again. Every promise settles with `send`; when Redis cannot
 * answer, all of them reject. It hands the commands to the client's transport itself, because the
 * client's own pipeline object makes two hundred closures for each request.
 */
export class RoundTrip {
  readonly #redis: Requester;
  readonly #commands: Command[] = [];
  readonly #waiting: Waiting[] = [];

  constructor(redis: Requester) {
    this.#redis = redis;
  }

  /** The fields of a hash, each null when the hash has none of that name. */
  hashFields(key: string, ...fields: string[]): Promise<(string | null)[]> {
    return this.#add(["HMGET", key, ...fields]);
  }

  evalsha<Result>(sha1: string, keys: string[], args: Command): Promise<Result> {
    return this.#add(["EVALSHA", sha1, keys.length, ...keys, ...args]);
  }

  async eval<Result>(script: string, keys: string[], args: Command): Promise<Result> {
    const body = ["EVAL", script, keys.length, ...keys, ...args];
    const { result } = await this.#redis.request<Result>({ body });
    return result as Result;
  }

  /** Run a script within the trip. Its text goes along, so that no Redis can miss it. */
  script<Result>(source: string, keys: string[], args: Command): Promise<Result> {
    return this.#add(["EVAL", source, keys.length, ...keys, ...args]);
  }

  /** How many of the keys are there, asked in one moment. */
  countPresent(...keys: string[]): Promise<number> {
    return this.#add(["EXISTS", ...keys]);
  }

  /** Any other command. */
  command<Result>(...command: string[]): Promise<Result> {
    return this.#add(command);
  }

  /** Send it; with `timeoutMs` it waits so long for Redis, also for one that is skipped as failing. */
  async send({ timeoutMs }: { timeoutMs?: number } = {}): Promise<void> {
    if (this.#commands.length === 0) return;
    try {
      const call: RedisCall = {
        path: ["pipeline"],
        body: this.#commands,
        ...(timeoutMs !== undefined && { timeoutMs }),
      };
      const replies = (await this.#redis.request(call)) as unknown as Reply[];
      this.#waiting.forEach((waiting, index) => {
        const { error, result } = replies[index] ?? { error: "The reply is incomplete." };
        if (error === undefined) waiting.resolve(result);
        else waiting.reject(new Error(error));
      });
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      for (const waiting of this.#waiting) waiting.reject(failure);
    }
  }

  #add<Result>(command: Command): Promise<Result> {
    this.#commands.push(command);
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ resolve: (result) => resolve(result as Result), reject });
    });
  }
}

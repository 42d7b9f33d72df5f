import type { Requester } from "@upstash/redis";
import type { RedisCall } from "../platform/platform.js";

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

type Command = (string | number)[];
type Reply = { result?: unknown; error?: string };

/** The flag avoids Upstash's database-wide lock; the script must declare every key that it uses. */
export const script = (body: string) => `#!lua flags=allow-key-locking\n${body}`;

/** Collects commands for one pipeline, which is no transaction. Their promises settle with `send()`. */
export class RoundTrip {
  readonly #redis: Requester;
  readonly #commands: Command[] = [];
  readonly #waiting: Waiting[] = [];

  constructor(redis: Requester) {
    this.#redis = redis;
  }

  hashFields(key: string, ...fields: string[]): Promise<(string | null)[]> {
    return this.#add(["HMGET", key, ...fields]);
  }

  evalsha<Result>(sha1: string, keys: string[], args: Command): Promise<Result> {
    return this.#add(["EVALSHA", sha1, keys.length, ...keys, ...args]);
  }

  /** Sent at once, in a request of its own. */
  async eval<Result>(script: string, keys: string[], args: Command): Promise<Result> {
    const body = ["EVAL", script, keys.length, ...keys, ...args];
    const { result } = await this.#redis.request<Result>({ body });
    return result as Result;
  }

  /** Sends the source, so that Redis cannot answer NOSCRIPT. */
  script<Result>(source: string, keys: string[], args: Command): Promise<Result> {
    return this.#add(["EVAL", source, keys.length, ...keys, ...args]);
  }

  countPresent(...keys: string[]): Promise<number> {
    return this.#add(["EXISTS", ...keys]);
  }

  command<Result>(...command: string[]): Promise<Result> {
    return this.#add(command);
  }

  /** Never rejects: the commands do. With `timeoutMs` it also tries a Redis that is skipped as failing. */
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

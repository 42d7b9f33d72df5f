import type { Requester } from "@upstash/redis";
import type { RedisCall } from "../platform/platform.js";

type Command = (string | number)[];
type Reply = { result?: unknown; error?: string };

/** To be called after `send()`: throws an error reply, or why the command could not be sent. */
export type Answer<Result> = () => Result;

/** Null instead of an error. */
export function orNull<Result>(answer: Answer<Result>): Result | null {
  try {
    return answer();
  } catch {
    return null;
  }
}

/** The flag avoids Upstash's database-wide lock; the script must declare every key that it uses. */
export const script = (body: string) => `#!lua flags=allow-key-locking\n${body}`;

/** Collects commands for one pipeline, which is no transaction. `ask` is cheaper than the methods with a promise, which settles with `send()`. */
export class RoundTrip {
  readonly #redis: Requester;
  readonly #commands: Command[] = [];
  readonly #waiting: (() => void)[] = [];
  #replies: Reply[] = [];
  #failure: Error | undefined;

  constructor(redis: Requester) {
    this.#redis = redis;
  }

  ask<Result>(...command: Command): Answer<Result> {
    const at = this.#commands.push(command) - 1;
    return () => {
      if (this.#failure) throw this.#failure;
      const { error, result } = this.#replies[at] ?? { error: "The reply is incomplete." };
      if (error !== undefined) throw new Error(error);
      return result as Result;
    };
  }

  hashFields(key: string, ...fields: string[]): Promise<(string | null)[]> {
    return this.command("HMGET", key, ...fields);
  }

  evalsha<Result>(sha1: string, keys: string[], args: Command): Promise<Result> {
    return this.command("EVALSHA", sha1, keys.length, ...keys, ...args);
  }

  /** Sent at once, in a request of its own. */
  async eval<Result>(script: string, keys: string[], args: Command): Promise<Result> {
    const body = ["EVAL", script, keys.length, ...keys, ...args];
    const { result } = await this.#redis.request<Result>({ body });
    return result as Result;
  }

  /** Sends the source, so that Redis cannot answer NOSCRIPT. */
  script<Result>(source: string, keys: string[], args: Command): Promise<Result> {
    return this.command("EVAL", source, keys.length, ...keys, ...args);
  }

  command<Result>(...command: Command): Promise<Result> {
    const answer = this.ask<Result>(...command);
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(answer());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /**
   * Never rejects: the commands do. With `timeoutMs` it also tries a Redis that is skipped as failing; with `isGathered`
   * it shares a call with other round trips of this turn.
   */
  async send({ timeoutMs, isGathered }: Pick<RedisCall, "timeoutMs" | "isGathered"> = {}) {
    if (this.#commands.length === 0) return;
    try {
      const call: RedisCall = {
        path: ["pipeline"],
        body: this.#commands,
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...(isGathered && { isGathered }),
      };
      this.#replies = (await this.#redis.request(call)) as unknown as Reply[];
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
    for (const settle of this.#waiting) settle();
  }
}

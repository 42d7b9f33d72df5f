import type { Requester } from "@upstash/redis";

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

type Command = (string | number)[];
type Reply = { result?: unknown; error?: string };

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

  /** Write a hash that expires by itself. Retrying is safe. */
  async setHash(key: string, fields: Record<string, string>, expiresAtMs: number): Promise<void> {
    const written = this.#add(["HSET", key, ...Object.entries(fields).flat()]);
    await Promise.all([written, this.#add(["PEXPIREAT", key, expiresAtMs])]);
  }

  async send(): Promise<void> {
    if (this.#commands.length === 0) return;
    try {
      const call = { path: ["pipeline"], body: this.#commands };
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

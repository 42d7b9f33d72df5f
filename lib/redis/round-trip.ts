import type { PlainRedis } from "./client.js";

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/**
 * Commands of one request, collected and sent as one pipeline by `send`.
 *
 * It is also the `redis` that @upstash/ratelimit is given: the limiter's script joins the pipeline, and
 * after a NOSCRIPT only that script is sent again. Every promise settles with `send`; when Redis cannot
 * answer, all of them reject.
 */
export class RoundTrip {
  readonly #redis: PlainRedis;
  readonly #pipeline;
  readonly #waiting: Waiting[] = [];

  constructor(redis: PlainRedis) {
    this.#redis = redis;
    this.#pipeline = redis.pipeline();
  }

  /** The fields of a hash, each null when the hash has none of that name. */
  hashFields(key: string, ...fields: [string, ...string[]]): Promise<(string | null)[]> {
    this.#pipeline.hmget(key, ...fields);
    return this.#next();
  }

  evalsha<Result>(sha1: string, keys: string[], args: unknown[]): Promise<Result> {
    this.#pipeline.evalsha(sha1, keys, args);
    return this.#next();
  }

  eval<Result>(script: string, keys: string[], args: unknown[]): Promise<Result> {
    return this.#redis.eval<unknown[], Result>(script, keys, args);
  }

  /** Write a hash that expires by itself. Retrying is safe. */
  async setHash(key: string, fields: Record<string, string>, expiresAtMs: number): Promise<void> {
    this.#pipeline.hset(key, fields);
    const written = this.#next();
    this.#pipeline.pexpireat(key, expiresAtMs);
    await Promise.all([written, this.#next()]);
  }

  async send(): Promise<void> {
    if (this.#waiting.length === 0) return;
    try {
      const results = await this.#pipeline.exec({ keepErrors: true });
      results.forEach(({ error, result }, index) => {
        const waiting = this.#waiting[index];
        if (error) waiting?.reject(new Error(error));
        else waiting?.resolve(result);
      });
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      for (const waiting of this.#waiting) waiting.reject(failure);
    }
  }

  #next<Result>(): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ resolve: (result) => resolve(result as Result), reject });
    });
  }
}

import { errors, type Requester } from "@upstash/redis";
import { Redis } from "ioredis";
import type { RedisCall } from "../platform.js";
import { redisConnection } from "./connection.js";
import { handleRedis, type RedisPath } from "./upstash-protocol.js";

const commandTimeoutMs = 250;
const openingMs = 1000;
/** Longer than any call waits. */
const silenceMs = 3500;

/**
 * The client's transport to a Redis server without HTTP in between: `new Redis(requester)`.
 *
 * Each command is sent at most once. A call that cannot be sent, or is not answered within 250 ms or the
 * deadline of its own, rejects with an error that is no `UpstashError`, and says why there is no
 * connection; that is restored in the background.
 */
export function inProcessRedis(url: string): { requester: Requester; close(): Promise<void> } {
  const redis = new Redis(url, {
    connectTimeout: 2000,
    // A connection that has fallen silent without being closed is given up.
    socketTimeout: silenceMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempts) => Math.min(attempts * 50, 1000),
  });
  const { host } = new URL(url);
  let broken: Error | undefined;
  let misdirected: Error | undefined;
  redis.on("connect", () => {
    misdirected = undefined;
  });
  redis.on("error", (error: Error & { command?: { name: string } }) => {
    broken = error;
    // The client would go on in database 0, which may be somebody else's.
    if (error.command?.name === "select") misdirected = error;
  });
  redis.on("ready", () => {
    broken = undefined;
  });
  const backend = redisConnection(redis);
  let opening: Promise<void> | null = firstAttempt(redis).then(() => {
    opening = null;
  });

  const request = async ({ path, body, timeoutMs = commandTimeoutMs }: RedisCall) => {
    if (opening) await opening;
    if (misdirected) throw notConnected(host, misdirected);
    const answered = handleRedis(backend, (path?.[0] ?? "") as RedisPath, body);
    const reply = await within(timeoutMs, answered).catch(
      // By itself the client says no more than that the stream is not writable.
      (error) => Promise.reject(broken ? notConnected(host, broken) : error),
    );
    if (reply.status === 200) return reply.body;
    throw new errors.UpstashError((reply.body as { error: string }).error);
  };
  return { requester: { request } as Requester, close: () => backend.close() };
}

/** Rejects with a `TimeoutError` once the time is over. What Redis does with the call is then unknown. */
function within<T>(timeoutMs: number, answered: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new Error(`Redis timed out: no reply within ${timeoutMs} ms.`);
      reject(Object.assign(error, { name: "TimeoutError" }));
    }, timeoutMs);
    answered.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** `host` is without the credentials. */
function notConnected(host: string, cause: Error & { code?: string }): Error {
  // A refused "localhost" is an AggregateError without a message.
  const reason = cause.message || cause.code || cause.name;
  return new Error(`No connection to Redis at ${host}: ${reason}`, { cause });
}

/** Settles when the first connection stands, has failed or takes long: a process may be called as it starts. */
function firstAttempt(redis: Redis): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(settle, openingMs);
    redis.once("ready", settle);
    redis.once("close", settle);
  });
}

import type { Requester } from "@upstash/redis";
import { Redis } from "ioredis";
import type { RedisCall } from "../platform.js";
import { redisConnection } from "./connection.js";
import { UpstashError } from "./upstash-error.js";
import { handleRedis, type RedisPath } from "./upstash-protocol.js";

const commandTimeoutMs = 250;
const openingMs = 1000;
const silenceMs = 3500;

/**
 * For Upstash's client, over one socket to a Redis server. Commands are sent at most once. A call that is not sent or not
 * answered in time rejects with an error other than `UpstashError`. Reconnects in the background.
 */
export function redisOverSocket(url: string): { requester: Requester; close(): Promise<void> } {
  const redis = new Redis(url, {
    connectTimeout: 2000,
    socketTimeout: silenceMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // Its version is in a package.json that the bundle does not contain.
    disableClientInfo: true,
    retryStrategy: (attempts) => Math.min(attempts * 50, 1000),
  });
  const { host } = new URL(url);
  let connectionError: Error | undefined;
  let selectError: Error | undefined;
  redis.on("connect", () => {
    selectError = undefined;
  });
  redis.on("error", (error: Error & { command?: { name: string } }) => {
    connectionError = error;
    // Otherwise the client would continue in database 0.
    if (error.command?.name === "select") selectError = error;
  });
  redis.on("ready", () => {
    connectionError = undefined;
  });
  const backend = redisConnection(redis);
  let opening: Promise<void> | null = firstAttempt(redis).then(() => {
    opening = null;
  });

  const request = async ({ path, body, timeoutMs = commandTimeoutMs }: RedisCall) => {
    if (opening) await opening;
    if (selectError) throw notConnected(host, selectError);
    const answered = handleRedis(backend, (path?.[0] ?? "") as RedisPath, body);
    const reply = await withTimeout(timeoutMs, answered, (error) =>
      // The client's own error does not give the reason.
      connectionError ? notConnected(host, connectionError) : error,
    );
    if (reply.status === 200) return reply.body;
    throw new UpstashError((reply.body as { error: string }).error);
  };
  return { requester: { request } as Requester, close: () => backend.close() };
}

/** Rejects with what `reasonOf` makes of the failure or of a `TimeoutError`; the command may have run. */
function withTimeout<T>(
  timeoutMs: number,
  answered: Promise<T>,
  reasonOf: (error: unknown) => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new Error(`Redis timed out: no reply within ${timeoutMs} ms.`);
      reject(reasonOf(Object.assign(error, { name: "TimeoutError" })));
    }, timeoutMs);
    answered.then(
      (result) => {
        clearTimeout(timer);
        resolve(result);
      },
      (error) => {
        clearTimeout(timer);
        reject(reasonOf(error));
      },
    );
  });
}

function notConnected(host: string, cause: Error & { code?: string }): Error {
  // A refused "localhost" is an AggregateError without a message.
  const reason = cause.message || cause.code || cause.name;
  return new Error(`No connection to Redis at ${host}: ${reason}`, { cause });
}

/** Settles when the first connection is ready, failed or slow. */
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

import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { startFaultProxy } from "../fault-proxy.js";
import type { Ask } from "./contender.js";
import type { ServedProcess } from "./served-process.js";
import type { StoreEndpoints } from "./store-endpoints.js";

/** What one request costs the stores, work after the reply included. */
export interface StoreCalls {
  /** HTTP requests to the Redis endpoint. */
  redisTrips: number;
  /** Commands that Redis executed, those inside scripts included, as Upstash bills them. */
  redisCommands: number;
  /** HTTP requests to the Postgres endpoint: a single statement or a batch each. */
  postgresCalls: number;
}

export interface CallCounter {
  /** Where a server finds the stores so that its calls are counted. */
  endpoints: StoreEndpoints;
  count(server: ServedProcess, ask: Ask): Promise<StoreCalls>;
  close(): Promise<void>;
}

const requests = 20;

/**
 * Count calls where they pass, at proxies before both endpoints, and commands where they are executed,
 * by Redis' MONITOR. `redisUrl` names the one database that is watched; nobody else may use it.
 */
export async function openCallCounter(
  endpoints: StoreEndpoints,
  redisUrl: string,
): Promise<CallCounter> {
  const postgres = await startFaultProxy(new URL(endpoints.postgres.endpoint).origin);
  const redis = await startFaultProxy(endpoints.redis.url);
  const connection = new Redis(redisUrl);
  const monitor = await connection.monitor();
  const database = new URL(redisUrl).pathname.slice(1) || "0";
  let commands = 0;
  monitor.on("monitor", (_time: string, _args: string[], _source: string, index: string) => {
    if (index === database) commands++;
  });
  return {
    endpoints: {
      postgres: { ...endpoints.postgres, endpoint: `${postgres.url}/sql` },
      redis: { ...endpoints.redis, url: redis.url },
    },
    async count(server, ask) {
      // The first one loads the function and its scripts.
      await send(server, ask, 2);
      await Promise.all([postgres.reset(), redis.reset()]);
      commands = 0;
      await send(server, ask, requests);
      return {
        redisTrips: redis.calls.length / requests,
        redisCommands: commands / requests,
        postgresCalls: postgres.calls.length / requests,
      };
    },
    async close() {
      monitor.disconnect();
      connection.disconnect();
      await Promise.all([postgres.close(), redis.close()]);
    },
  };
}

/** One after another, and a moment for what they leave for later. */
async function send(server: ServedProcess, ask: Ask, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const reply = await fetch(server.url + ask.path, {
      method: ask.method ?? "GET",
      headers: ask.headers ?? {},
      ...(ask.bodies ? { body: ask.bodies[i % ask.bodies.length] ?? "" } : {}),
    });
    await reply.arrayBuffer();
    if (reply.status !== ask.expectedStatus) throw new Error(`${ask.path}: ${reply.status}`);
  }
  await sleep(200);
}

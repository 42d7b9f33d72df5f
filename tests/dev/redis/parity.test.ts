import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { servers } from "./on-each-server.js";
import { cases } from "./parity-cases.js";

describe.each(servers)("the Upstash endpoint over the %s server", (_name, start) => {
  let endpoint: Awaited<ReturnType<typeof start>>;
  let redis: Redis;
  const prefix = `parity-${process.pid}-${Date.now()}:`;

  beforeAll(async () => {
    endpoint = await start();
    redis = new Redis({
      ...endpoint,
      retry: { retries: 0 },
      enableTelemetry: false,
      automaticDeserialization: false,
    });
  });
  afterAll(async () => {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.del(...keys);
    await endpoint.close();
  });

  it.each(Object.entries(cases))("replies like Redis: %s", async (name, steps) => {
    for (const [command, answer] of steps(`${prefix}${name}:`)) {
      const given = await redis.exec(command as [string]).catch((error: unknown) => error);
      expect(given, `the reply to ${command.join(" ")}`).toEqual(answer);
    }
  });
});

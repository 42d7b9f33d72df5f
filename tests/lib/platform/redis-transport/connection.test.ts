import { PassThrough } from "node:stream";
import type { Redis } from "ioredis";
import { expect, it } from "vitest";
import { redisConnection } from "../../../../lib/platform/redis-transport/connection.js";

it("the connection still sends after a pipeline that is too large to be written", async () => {
  const stream = new PassThrough();
  const call = () => {
    throw new RangeError("Invalid string length");
  };
  const { pipeline } = redisConnection({ stream, call, on: () => {} } as unknown as Redis);
  await expect(pipeline([["SET", "key", "a very long text"]])).rejects.toThrow(RangeError);
  expect(stream.writableCorked).toBe(0);
});

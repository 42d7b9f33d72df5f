import type { Requester } from "@upstash/redis";
import { expect, it } from "vitest";
import type { RedisCall } from "../../../../lib/platform/platform.js";
import { withFirstCallTimeout } from "../../../../lib/platform/redis-transport/first-call-timeout.js";

const deadlines: (number | undefined)[] = [];
const answers: (() => void)[] = [];
const transport = {
  request: ({ timeoutMs }: RedisCall) => {
    deadlines.push(timeoutMs);
    return new Promise((resolve) => answers.push(() => resolve({ result: "PONG" })));
  },
} as unknown as Requester;

it("gives the first requests of a process a longer time limit until one has completed", async () => {
  const redis = withFirstCallTimeout(transport, 1000);
  const first = redis.request({});
  void redis.request({});
  void redis.request({ timeoutMs: 3000 } as RedisCall);
  expect(deadlines).toEqual([1000, 1000, 3000]);
  answers[0]?.();
  await first;
  void redis.request({});
  expect(deadlines.at(-1)).toBeUndefined();
});

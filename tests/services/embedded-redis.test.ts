import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRealRedis } from "../../dev/stores/real-redis.js";
import type { RedisBackend } from "../../lib/platform/redis-transport/upstash-protocol.js";
import { openEmbeddedRedis } from "../../lib/self-hosted/embedded-stores/redis.js";
import { generatedCommands, recorded, repliesTo } from "../dev/redis/generated-commands.js";
import { useRedisServer } from "../support/redis-server.js";

describe("generated commands", () => {
  const server = useRedisServer();
  let real: RedisBackend;
  beforeAll(async () => {
    real = await openRealRedis(server.url);
  });
  afterAll(() => real.close());

  async function realReplies(commands: string[][]): Promise<string[]> {
    await real.call(["FLUSHALL"]);
    return repliesTo(real, commands);
  }

  // To record it again, delete the file.
  it("get the recorded replies from the real Redis", async () => {
    const replies = await realReplies(generatedCommands(recorded.seed, recorded.count));
    await expect(replies.join("\n")).toMatchFileSnapshot(path.resolve(recorded.file));
  });

  it.each([2, 3, 4, 5, 6, 7, 8, 9])("get equal replies from both, seed %i", async (seed) => {
    const embedded = await openEmbeddedRedis({});
    const commands = generatedCommands(seed, 500);
    const replies = await repliesTo(embedded.backend, commands);
    await embedded.close();
    expect(replies).toEqual(await realReplies(commands));
  });
});

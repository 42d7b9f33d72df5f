import { describe, expect, it } from "vitest";
import { freePort } from "../../../dev/free-port.js";
import { openRealRedis } from "../../../dev/stores/real-redis.js";
import { openEmbeddedRedis } from "../../../lib/self-hosted/embedded-stores/redis.js";

describe("openRealRedis", () => {
  it("sends commands over the Redis protocol", async () => {
    const store = await openEmbeddedRedis({});
    const { port } = await store.listenResp(0);
    const backend = await openRealRedis(`redis://:password@127.0.0.1:${port}/3`);
    await backend.call(["SET", "key", "x"]);
    expect(
      await backend.multi([
        ["GET", "key"],
        ["HGET", "key", "f"],
      ]),
    ).toEqual(["x", expect.objectContaining({ name: "ReplyError" })]);
    expect(await store.backend.call(["GET", "key"])).toBeNull();
    await backend.close();
    await store.close();
  });

  it("names an unreachable server without its password", async () => {
    const port = await freePort();
    const opening = openRealRedis(`redis://:password@127.0.0.1:${port}`);
    await expect(opening).rejects.toMatchObject({
      message: `Redis at 127.0.0.1:${port} cannot be reached.`,
      cause: { code: "ECONNREFUSED" },
    });
  });
});

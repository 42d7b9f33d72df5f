import { Redis } from "@upstash/redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { redisOverHttp } from "../../lib/platform/redis-transport/over-http.js";
import { redisOverSocket } from "../../lib/platform/redis-transport/over-socket.js";
import { realEndpoint, realUrl } from "../dev/redis/on-each-server.js";
import { startWire, type Wire } from "../dev/redis/wire.js";

describe("Redis over a socket", () => {
  const prefix = `over-socket-${process.pid}:`;
  const real = new URL(realUrl ?? "redis://absent");
  let endpoint: Awaited<ReturnType<typeof realEndpoint>>;
  let overHttp: Redis;
  let wire: Wire;
  let transport: ReturnType<typeof redisOverSocket>;
  let redis: Redis;

  beforeAll(async () => {
    endpoint = await realEndpoint(real.href);
    overHttp = new Redis(redisOverHttp({ ...endpoint, timeoutMs: 1000 }));
  });
  beforeEach(async () => {
    wire = await startWire(real);
    transport = redisOverSocket(`redis://127.0.0.1:${wire.port}${real.pathname}`);
    redis = new Redis(transport.requester);
  });
  afterEach(async () => {
    await transport.close();
    await wire.close();
  });
  afterAll(async () => {
    const keys = await overHttp.keys(`${prefix}*`);
    if (keys.length > 0) await overHttp.del(...keys);
    await endpoint.close();
  });

  it("returns the same results as the HTTP transport", async () => {
    const hash = `${prefix}hash`;
    const text = `${prefix}text`;
    await redis.hset(hash, { text: "é ✓ 𝄞", number: 1, empty: "", ok: "OK" });
    await redis.set(text, "OK");
    const calls: ((redis: Redis) => unknown)[] = [
      (client) => client.hgetall(hash),
      (client) => client.hmget(hash, "ok", "absent"),
      (client) => client.get(text),
      (client) => client.get(`${prefix}absent`),
      (client) => client.eval("return {1, 'é', false, {'OK', {'deep', 2}}}", [], []),
      (client) => client.pipeline().get(text).exists(hash).exec(),
      (client) => client.pipeline().get(hash).get(text).exec({ keepErrors: true }),
      (client) => client.multi().get(text).hget(hash, "text").exec(),
      (client) => client.exec(["HGET", text, "f"]).catch((error: unknown) => error),
      (client) => client.evalsha("0".repeat(40), [], []).catch((error: unknown) => error),
    ];
    for (const call of calls) expect(await call(redis)).toEqual(await call(overHttp));
  });

  it("serves a call made before the connection is open", async () => {
    expect(await redis.exec(["PING"])).toBe("PONG");
  });

  it("fails fast while the server is unreachable, and then reconnects", async () => {
    await redis.exec(["PING"]);
    await wire.cut();
    await vi.waitFor(() => expect(redis.exec(["PING"])).rejects.toThrow());
    await expect(redis.exec(["PING"])).rejects.not.toMatchObject({ name: "UpstashError" });
    await wire.restore();
    await vi.waitFor(async () => expect(await redis.exec(["PING"])).toBe("PONG"), 5000);
  });

  it("starts while the server is unreachable", async () => {
    await wire.cut();
    const early = redisOverSocket(`redis://127.0.0.1:${wire.port}`);
    const client = new Redis(early.requester);
    await expect(client.exec(["PING"])).rejects.toThrow();
    await wire.restore();
    await vi.waitFor(async () => expect(await client.exec(["PING"])).toBe("PONG"), 5000);
    await early.close();
  });

  it("times out a call without a reply, and replaces the connection", async () => {
    await redis.exec(["PING"]);
    wire.pause();
    await expect(redis.exec(["PING"])).rejects.toMatchObject({ name: "TimeoutError" });
    wire.resume();
    await vi.waitFor(async () => expect(await redis.exec(["PING"])).toBe("PONG"), 5000);
  });

  it("does not repeat a command after its connection is lost", async () => {
    const counter = `${prefix}counter`;
    await redis.exec(["PING"]);
    wire.loseReplies();
    await expect(redis.incr(counter)).rejects.toThrow();
    await vi.waitFor(async () => expect(await redis.exec(["PING"])).toBe("PONG"), 5000);
    expect(await redis.get(counter)).toBe(1);
  });
});

import { Redis } from "@upstash/redis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type FaultProxy, startFaultProxy } from "../../../../dev/fault-proxy.js";
import { redisOverHttp } from "../../../../lib/platform/redis-transport/over-http.js";
import { embeddedEndpoint } from "../../../dev/redis/on-each-server.js";

describe("Redis over HTTP", () => {
  let endpoint: Awaited<ReturnType<typeof embeddedEndpoint>>;
  let proxy: FaultProxy;
  let ours: Redis;
  let vendors: Redis;

  beforeAll(async () => {
    endpoint = await embeddedEndpoint();
    proxy = await startFaultProxy(endpoint.url);
    const access = { url: proxy.url, token: endpoint.token };
    ours = new Redis(redisOverHttp({ ...access, timeoutMs: 1000 }));
    vendors = new Redis({ ...access, retry: { retries: 0 } });
  });
  afterEach(() => proxy.reset());
  afterAll(async () => {
    await proxy.close();
    await endpoint.close();
  });

  it("returns the same results as the client's own transport", async () => {
    await ours.hset("hash", { text: "é ✓ 𝄞", number: 1, empty: "", ok: "OK" });
    await ours.set("text", "OK");
    const nested = "return {1, 'é', false, {'OK', {'deep', 2}}}";
    const calls: ((redis: Redis) => unknown)[] = [
      (redis) => redis.hgetall("hash"),
      (redis) => redis.hmget("hash", "ok", "absent"),
      (redis) => redis.get("text"),
      (redis) => redis.get("absent"),
      (redis) => redis.ping(),
      (redis) => redis.eval(nested, [], []),
      (redis) => redis.scan(0, { match: "h*" }),
      (redis) => redis.pipeline().get("text").exists("hash").exec(),
      (redis) => redis.pipeline().get("hash").get("text").exec({ keepErrors: true }),
      (redis) => redis.multi().get("text").hget("hash", "text").exec(),
    ];
    for (const call of calls) expect(await call(ours)).toEqual(await call(vendors));
  });

  it("rejects with the server's message without the command", async () => {
    const error = await ours.exec(["HGET", "text", "secret"]).catch((cause: unknown) => cause);
    expect(error).toMatchObject({
      name: "UpstashError",
      message: "WRONGTYPE Operation against a key holding the wrong kind of value",
    });
  });

  it("rejects for a wrong token", async () => {
    const clientWithWrongToken = new Redis(
      redisOverHttp({ url: proxy.url, token: "no", timeoutMs: 1000 }),
    );
    await expect(clientWithWrongToken.get("text")).rejects.toMatchObject({
      name: "UpstashError",
      message: expect.stringContaining("WRONGPASS"),
    });
  });

  it("sends the last sync token, so that replicas read their own writes", async () => {
    const requester = redisOverHttp({ ...endpoint, timeoutMs: 1000 });
    await requester.request({ body: ["PING"] });
    const first = requester.upstashSyncToken;
    expect(first).toMatch(/./);
    await requester.request({ body: ["PING"] });
    expect(requester.upstashSyncToken).not.toBe(first);
  });

  it("does not repeat a command whose response was lost", async () => {
    await proxy.set({ kind: "lose-reply", times: 1 });
    await expect(ours.incr("counter")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(proxy.calls).toHaveLength(1);
    expect(await ours.get("counter")).toBe(1);
  });

  it.each([
    ["refuse", { code: "ECONNREFUSED" }],
    ["reset", { code: "ECONNRESET" }],
    ["garbage", { name: "UpstashJSONParseError" }],
    ["hang", { name: "TimeoutError" }],
  ] as const)("rejects on %s and works again afterwards", async (kind, error) => {
    const quick = new Redis(redisOverHttp({ ...endpoint, url: proxy.url, timeoutMs: 100 }));
    await proxy.set({ kind });
    await expect(quick.get("text")).rejects.toMatchObject(error);
    await proxy.set(null);
    expect(await ours.get("text")).toBe("OK");
  });
});

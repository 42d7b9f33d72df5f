import { Ratelimit } from "@upstash/ratelimit";
import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FaultProxy, startFaultProxy } from "../../../dev/fault-proxy.js";
import { startUpstashEndpoint } from "../../../lib/self-hosted/embedded-stores/upstash-endpoint.js";
import { servers } from "./on-each-server.js";

describe.each(servers)("the unmodified Upstash client over the %s server", (_name, start) => {
  let endpoint: Awaited<ReturnType<typeof start>>;
  let proxy: FaultProxy;
  let redis: Redis;
  const key = (name: string) => `endpoint-${process.pid}:${name}`;

  beforeAll(async () => {
    endpoint = await start();
    proxy = await startFaultProxy(endpoint.url);
    redis = new Redis({ url: proxy.url, token: endpoint.token, retry: { retries: 0 } });
  });
  afterAll(async () => {
    const keys = await redis.keys(`${key("")}*`);
    if (keys.length > 0) await redis.del(...keys);
    await proxy.close();
    await endpoint.close();
  });

  it("reads values of every type as they were written", async () => {
    await redis.set(key("json"), { text: "é ✓ 𝄞", list: [1, null, "OK"] });
    expect(await redis.get(key("json"))).toEqual({ text: "é ✓ 𝄞", list: [1, null, "OK"] });
    await redis.hset(key("hash"), { number: 7, text: "seven", empty: "" });
    expect(await redis.hgetall(key("hash"))).toEqual({ number: 7, text: "seven", empty: "" });
    expect(await redis.hgetall(key("absent"))).toBeNull();
    expect(await redis.hmget(key("hash"), "text", "absent")).toEqual({
      text: "seven",
      absent: null,
    });
  });

  it("reads the same values without base64", async () => {
    const plain = new Redis({
      url: endpoint.url,
      token: endpoint.token,
      responseEncoding: false,
    });
    await plain.sadd(key("plain"), "é ✓ 𝄞");
    expect(await plain.smembers(key("plain"))).toEqual(["é ✓ 𝄞"]);
  });

  it("sends the commands of one tick in one request, in order", async () => {
    await proxy.reset();
    const answers = await Promise.all([
      redis.set(key("auto"), 1),
      redis.incr(key("auto")),
      redis.getdel(key("auto")),
    ]);
    expect(answers).toEqual(["OK", 2, 2]);
    expect(proxy.calls.map((call) => call.path)).toEqual(["/pipeline"]);
  });

  it("gets the result of each command of a pipeline in which one fails", async () => {
    const pipeline = redis.pipeline().set(key("text"), "a").hget(key("text"), "f").get(key("text"));
    const answers = await pipeline.exec({ keepErrors: true });
    expect(answers).toEqual([
      { result: "OK" },
      { error: expect.stringContaining("WRONGTYPE") },
      { result: "a" },
    ]);
  });

  it("executes a transaction, also when one command fails", async () => {
    expect(await redis.multi().set(key("n"), 1).incr(key("n")).exec()).toEqual(["OK", 2]);
    const failing = redis.multi().hget(key("n"), "f").incr(key("n"));
    await expect(failing.exec()).rejects.toThrow("WRONGTYPE");
    expect(await redis.get(key("n"))).toBe(3);
  });

  it("executes no command of a transaction that contains an invalid command", async () => {
    for (const wrong of [
      ["SET", key("never")],
      ["SUBSCRIBE", "channel"],
    ]) {
      const body = [["SET", key("never"), "1"], wrong];
      const reply = await call(endpoint, "/multi-exec", body);
      expect(reply).toEqual({
        status: 400,
        body: { error: expect.stringMatching(/^EXECABORT /) },
      });
    }
    expect(await redis.exists(key("never"))).toBe(0);
  });

  it("allows exactly as many of 100 parallel calls as the rate limit permits", async () => {
    const limit = ratelimit(redis, 10);
    const first = await Promise.all(Array.from({ length: 100 }, () => limit.limit("ip")));
    expect(first.filter(({ success }) => success)).toHaveLength(10);
  });

  it("restores the remaining calls of a rate limit after a refund", async () => {
    const limit = ratelimit(redis, 3);
    const used = async () => (await limit.getRemaining("account")).remaining;
    await limit.limit("account", { rate: 3 });
    expect(await used()).toBe(0);
    await limit.limit("account", { rate: -2 });
    expect(await used()).toBe(2);
  });

  it("sends the text of a script once, and then only its SHA", async () => {
    await redis.scriptFlush();
    const limit = ratelimit(redis, 5);
    await limit.limit("script");
    await proxy.reset();
    expect((await limit.limit("script")).remaining).toBe(3);
    expect(proxy.calls).toEqual([
      { path: "/pipeline", body: [expect.arrayContaining(["evalsha"])] },
    ]);
  });

  function ratelimit(client: Redis, max: number): Ratelimit {
    return new Ratelimit({
      redis: client,
      limiter: Ratelimit.fixedWindow(max, "1 h"),
      prefix: key(`rate-${max}`),
      ephemeralCache: false,
      timeout: 0,
      analytics: false,
    });
  }
});

describe("the Upstash endpoint", () => {
  const [[, start] = []] = servers;
  let endpoint: Endpoint & { close(): Promise<void> };

  beforeAll(async () => {
    if (start) endpoint = await start();
  });
  afterAll(() => endpoint.close());

  it("returns 401 for a wrong or missing token", async () => {
    for (const token of ["wrong", "", "secret2"]) {
      expect(await call({ ...endpoint, token }, "/", ["PING"])).toEqual({
        status: 401,
        body: { error: "WRONGPASS invalid or missing auth token" },
      });
    }
  });

  it("returns 400 for a malformed command", async () => {
    for (const body of [null, "PING", [], [null], [["PING"]], { a: 1 }]) {
      const reply = { status: 400, body: { error: "ERR failed to parse command" } };
      expect(await call(endpoint, "/", body)).toEqual(reply);
    }
    expect(await call(endpoint, "/pipeline", ["PING"])).toMatchObject({ status: 400 });
    expect(await call(endpoint, "/pipeline", [])).toMatchObject({ status: 400 });
    expect(await call(endpoint, "/", "{", (text) => text)).toMatchObject({ status: 400 });
  });

  it("returns 413 for a body over the limit", async () => {
    const body = ["SET", "large", "x".repeat(11 * 1024 * 1024)];
    expect(await call(endpoint, "/", body)).toMatchObject({ status: 413 });
  });

  it("accepts commands in the URL", async () => {
    const token = `_token=${endpoint.token}`;
    const get = async (path: string) => (await fetch(`${endpoint.url}${path}`)).json();
    expect(await get(`/set/a%2Fb/%C3%A9?EX=100&${token}`)).toEqual({ result: "OK" });
    expect(await get(`/get/a%2Fb?${token}`)).toEqual({ result: "é" });
    expect(await get(`/persist/a%2Fb?${token}`)).toEqual({ result: 1 });
    expect(await get(`/get/%ff?${token}`)).toEqual({ error: "ERR failed to parse request" });
    expect(await call(endpoint, "/set/posted", "x", (text) => text)).toMatchObject({ status: 200 });
    expect(await get(`/get/posted?${token}`)).toEqual({ result: "x" });
  });

  it("sends a new sync token with each reply", async () => {
    const ping = () => fetch(`${endpoint.url}/ping?_token=${endpoint.token}`);
    const tokens = [await ping(), await ping()].map((r) => r.headers.get("upstash-sync-token"));
    expect(tokens[0]).toBeTruthy();
    expect(tokens[1]).not.toBe(tokens[0]);
  });

  it("returns 503 when the Redis server is unreachable", async () => {
    const away = () => Promise.reject(new Error("away"));
    const backend = { call: away, pipeline: away, multi: away, close: async () => {} };
    const broken = await startUpstashEndpoint({ backend, token: "secret" });
    for (const path of ["/pipeline", "/multi-exec"]) {
      expect(await call(broken, path, [["PING"]])).toMatchObject({ status: 503 });
    }
    expect(await call(broken, "/", ["PING"])).toMatchObject({ status: 503 });
    await broken.close();
  });
});

interface Endpoint {
  url: string;
  token: string;
}

async function call(
  { url, token }: Endpoint,
  path: string,
  body: unknown,
  toText: (body: string) => string = JSON.stringify,
): Promise<{ status: number; body: unknown }> {
  const reply = await fetch(`${url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: toText(body as string),
  });
  return { status: reply.status, body: await reply.json() };
}

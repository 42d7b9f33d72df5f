import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  type EmbeddedRedis,
  openEmbeddedRedis,
} from "../../../lib/self-hosted/embedded-stores/redis.js";

describe("the RESP port of the embedded Redis", () => {
  const directory = mkdtempSync(join(tmpdir(), "resp-port-"));
  const file = join(directory, "redis.json");
  let store: EmbeddedRedis;
  let port: number;
  let client: Redis;

  beforeAll(async () => {
    store = await openEmbeddedRedis({ file });
    port = (await store.listenResp(0)).port;
    client = new Redis(port, { password: "any" });
  });
  afterAll(async () => {
    client.disconnect();
    await store.close();
    rmSync(directory, { recursive: true });
  });

  it("shares its data with the backend", async () => {
    await store.backend.call(["HSET", "session:1", "user", "u1"]);
    await store.backend.call(["SET", "rate:ip:1", "5", "EX", "60"]);
    expect(await client.ping()).toBe("PONG");
    expect(await client.keys("session:*")).toEqual(["session:1"]);
    expect(await client.scan("0", "MATCH", "rate:*")).toEqual(["0", ["rate:ip:1"]]);
    expect(await client.hgetall("session:1")).toEqual({ user: "u1" });
    expect(await client.ttl("rate:ip:1")).toBeGreaterThan(0);
    expect(await client.get("rate:ip:1")).toBe("5");
    expect(await client.info("server")).toContain("redis_version:7.0.");
    expect(await client.del("session:1", "rate:ip:1")).toBe(2);
    expect(await store.backend.call(["EXISTS", "session:1", "rate:ip:1"])).toBe(0);
  });

  it("saves writes to the file", async () => {
    await client.set("through-the-port", "x");
    await vi.waitFor(() => expect(readFileSync(file, "utf8")).toContain("through-the-port"), 5000);
  });

  it.each([
    ["a password", "AUTH secret\r\n", "+OK"],
    ["a name and password", "AUTH default secret\r\n", "+OK"],
    ["COMMAND DOCS", "COMMAND DOCS\r\n", "*"],
    ["CLIENT SETNAME", "CLIENT SETNAME cli\r\n", "+OK"],
    ["an unknown command", "NONSENSE\r\n", "-ERR unknown command"],
  ])("replies to redis-cli: %s", async (_name, line, start) => {
    const socket = connect(port);
    const answer = await new Promise<string>((resolve, reject) => {
      socket.once("data", (data) => resolve(data.toString()));
      socket.once("error", reject);
      socket.write(line);
    });
    socket.destroy();
    expect(answer.startsWith(start), answer).toBe(true);
  });

  it("closes its connections when the store closes", async () => {
    const other = await openEmbeddedRedis({});
    const socket = connect((await other.listenResp(0)).port);
    await new Promise((resolve) => socket.once("connect", resolve));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    await other.close();
    await closed;
  });
});

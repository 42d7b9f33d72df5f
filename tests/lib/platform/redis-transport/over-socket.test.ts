import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Redis } from "@upstash/redis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RedisCall } from "../../../../lib/platform/platform.js";
import { withBreaker } from "../../../../lib/platform/redis-transport/breaker.js";
import { redisOverSocket } from "../../../../lib/platform/redis-transport/over-socket.js";

let server: Server;
let connections = 0;
beforeEach(() => {
  connections = 0;
});
let transport: ReturnType<typeof redisOverSocket>;
afterEach(async () => {
  await transport.close();
  server.close();
});

/** A Redis that answers every command, or those with this name, with this error. */
async function refusing(error: string, name = ""): Promise<string> {
  server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      for (const command of String(bytes).split("*").slice(1)) {
        const isRefused = command.toLowerCase().includes(name);
        socket.write(isRefused ? `-${error}\r\n` : "+PONG\r\n");
      }
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A Redis that is ready and answers each PING this way. */
async function answering(pinged: (socket: Socket) => void): Promise<string> {
  server = createServer((socket) => {
    connections += 1;
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      for (const command of String(bytes).toLowerCase().split("*").slice(1)) {
        if (command.includes("ping")) pinged(socket);
        else if (command.includes("info")) socket.write("$9\r\nloading:0\r\n");
        else socket.write("+OK\r\n");
      }
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("Redis over a socket, connected to a replica", () => {
  it.each([
    "READONLY You can't write against a read only replica.",
    "ERR Error running script: @user_script: 1: -READONLY You can't write against a read only replica.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  ])("reconnects at the first error %s, then at most once a second", async (error) => {
    const host = await answering((socket) => socket.write(`-${error}\r\n`));
    transport = redisOverSocket(`redis://${host}/0`);
    const ping = () => transport.requester.request({ body: ["PING"] }).catch(String);
    expect(await ping()).toContain(error);
    expect(connections).toBe(1);
    await expect.poll(() => connections, { timeout: 2000 }).toBe(2);
    await expect.poll(ping, { timeout: 2000 }).toContain(error);
    expect(connections).toBe(2);
  });

  it.each([
    "NOREPLICAS Not enough good replicas to write.",
    "OOM command not allowed when used memory > 'maxmemory'.",
  ])("stays connected after %s", async (error) => {
    const host = await answering((socket) => socket.write(`-${error}\r\n`));
    transport = redisOverSocket(`redis://${host}/0`);
    for (let time = 0; time < 3; time += 1) {
      await expect(transport.requester.request({ body: ["PING"] })).rejects.toThrow(error);
    }
    expect(connections).toBe(1);
  });
});

describe("Redis over a socket, without a connection", () => {
  it("reports a wrong password, also while the breaker skips it", async () => {
    const host = await refusing("WRONGPASS invalid username-password pair or user is disabled.");
    transport = redisOverSocket(`redis://user:changed@${host}/0`);
    const redis = new Redis(withBreaker(transport.requester));
    const message = expect.stringMatching(
      new RegExp(`^No connection to Redis at ${host}: .*WRONGPASS`),
    );
    for (let time = 0; time < 2; time += 1) {
      await expect(redis.exec(["PING"])).rejects.toMatchObject({ message });
    }
    await expect(redis.exec(["PING"])).rejects.toMatchObject({
      name: "RedisSkippedError",
      cause: { message },
    });
  });

  it("does not use another database than the configured one", async () => {
    const host = await refusing("ERR DB index is out of range", "select");
    transport = redisOverSocket(`redis://${host}/99`);
    const redis = new Redis(transport.requester);
    for (let time = 0; time < 2; time += 1) {
      await expect(redis.exec(["PING"])).rejects.toThrow(
        `No connection to Redis at ${host}: ERR DB index is out of range`,
      );
    }
  });

  it("waits as long as the call allows instead of 250 ms", async () => {
    const host = await answering((socket) => setTimeout(() => socket.write("+PONG\r\n"), 400));
    transport = redisOverSocket(`redis://${host}/0`);
    const ping = (timeoutMs?: number) =>
      transport.requester.request({ body: ["PING"], timeoutMs } as RedisCall);
    await expect(ping()).rejects.toMatchObject({ name: "TimeoutError" });
    expect(await ping(3000)).toEqual({ result: "PONG" });
  });

  it("reports that the connection is refused", async () => {
    const host = await refusing("");
    server.close();
    transport = redisOverSocket(`redis://${host}/0`);
    const redis = new Redis(transport.requester);
    await expect(redis.exec(["PING"])).rejects.toThrow(
      `No connection to Redis at ${host}: connect ECONNREFUSED ${host}`,
    );
  });
});

import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { Redis } from "@upstash/redis";
import { afterEach, describe, expect, it } from "vitest";
import { withBreaker } from "../../../../lib/platform/redis-transport/breaker.js";
import { inProcessRedis } from "../../../../lib/platform/redis-transport/in-process.js";

let server: Server;
let transport: ReturnType<typeof inProcessRedis>;
afterEach(async () => {
  await transport.close();
  server.close();
});

/** A Redis that answers everything with this error, or what is of this name. */
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

describe("Redis in-process, without a connection", () => {
  it("says that it is the password, also while it is skipped", async () => {
    const host = await refusing("WRONGPASS invalid username-password pair or user is disabled.");
    transport = inProcessRedis(`redis://user:changed@${host}/0`);
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

  it("keeps nothing in another database than the one that is named", async () => {
    const host = await refusing("ERR DB index is out of range", "select");
    transport = inProcessRedis(`redis://${host}/99`);
    const redis = new Redis(transport.requester);
    for (let time = 0; time < 2; time += 1) {
      await expect(redis.exec(["PING"])).rejects.toThrow(
        `No connection to Redis at ${host}: ERR DB index is out of range`,
      );
    }
  });

  it("says that nobody listens", async () => {
    const host = await refusing("");
    server.close();
    transport = inProcessRedis(`redis://${host}/0`);
    const redis = new Redis(transport.requester);
    await expect(redis.exec(["PING"])).rejects.toThrow(
      `No connection to Redis at ${host}: connect ECONNREFUSED ${host}`,
    );
  });
});

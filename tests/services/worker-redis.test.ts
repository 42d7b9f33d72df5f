import { expect, it } from "vitest";
import { openMarkedRedis } from "../support/real-stores.js";
import { useRedisServer } from "../support/redis-server.js";

const server = useRedisServer();
const database = () => `${server.url}/3`;

it("empties the worker's Redis after a killed run", async () => {
  const killed = await openMarkedRedis(database());
  await killed.call(["FLUSHDB"]);
  await killed.call(["SET", "left", "1"]);
  const redis = await openMarkedRedis(database());
  expect(await redis.call(["DBSIZE"])).toBe(0);
  await redis.giveBack();
  expect(await server.command("INFO", "keyspace")).not.toMatch(/db\d/);
});

it("rejects a Redis that contains data of another program", async () => {
  const redis = await openMarkedRedis(database());
  await redis.giveBack();
  await server.command("EVAL", "redis.call('SELECT', 3) redis.call('SET', 'theirs', '1')", "0");
  await expect(openMarkedRedis(database())).rejects.toThrow("not the tests' to empty");
});

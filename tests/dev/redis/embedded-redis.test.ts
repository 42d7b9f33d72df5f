import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RedisBackend } from "../../../lib/platform/redis-transport/upstash-protocol.js";
import { openEmbeddedRedis } from "../../../lib/self-hosted/embedded-stores/redis.js";

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "embedded-redis-"));
  file = join(directory, "data", "redis.json");
});
afterEach(() => rmSync(directory, { recursive: true }));

const writes = [
  ["SET", "text", "é ✓ \u0000"],
  ["SET", "with-time", "x", "PXAT", "4102444800000"],
  ["SET", "short", "x", "PX", "50"],
  ["HSET", "hash", "field", "value", "empty", ""],
  ["SADD", "set", "a", "b"],
  ["ZADD", "zset", "1.5", "a", "inf", "b"],
  ["RPUSH", "list", "b", "a", "b"],
  ["XADD", "stream", "5-1", "f", "v"],
  ["XADD", "stream", "6-1", "f", "w"],
  ["XDEL", "stream", "6-1"],
  ["XGROUP", "CREATE", "stream", "group", "0"],
  ["XREADGROUP", "GROUP", "group", "consumer", "STREAMS", "stream", ">"],
];
const reads: [string[], unknown][] = [
  [["GET", "text"], "é ✓ \u0000"],
  [["PEXPIRETIME", "with-time"], 4_102_444_800_000],
  [["GET", "short"], null],
  [
    ["HGETALL", "hash"],
    ["field", "value", "empty", ""],
  ],
  [["TTL", "hash"], -1],
  [
    ["SMEMBERS", "set"],
    ["a", "b"],
  ],
  [
    ["ZRANGE", "zset", "0", "-1", "WITHSCORES"],
    ["a", "1.5", "b", "inf"],
  ],
  [
    ["LRANGE", "list", "0", "-1"],
    ["b", "a", "b"],
  ],
  [["XRANGE", "stream", "-", "+"], [["5-1", ["f", "v"]]]],
  [["XACK", "stream", "group", "5-1"], 1],
];

async function write(backend: RedisBackend) {
  for (const command of writes) await backend.call(command);
  await backend.call(["EVAL", "return redis.call('SET', KEYS[1], 'x')", "1", "by-script"]);
  await new Promise((resolve) => setTimeout(resolve, 60));
}

describe("the embedded Redis", () => {
  it("keeps all data across a clean close", async () => {
    const first = await openEmbeddedRedis({ file });
    expect(first.wasClean).toBe(true);
    await write(first.backend);
    await first.close();

    const second = await openEmbeddedRedis({ file });
    expect(second.wasClean).toBe(true);
    for (const [command, answer] of reads) {
      expect(await second.backend.call(command), command.join(" ")).toEqual(answer);
    }
    expect(await second.backend.call(["GET", "by-script"])).toBe("x");
    await expect(second.backend.call(["XADD", "stream", "6-1", "f", "w"])).rejects.toThrow(
      "equal or smaller",
    );
    await second.close();
  });

  it("keeps the saved writes after a kill, and reports that the close was not clean", async () => {
    const owner = spawn(process.execPath, [
      "--import",
      "tsx",
      join(import.meta.dirname, "redis-owner.ts"),
      file,
    ]);
    await once(owner.stdout, "data");
    await vi.waitFor(() => expect(readFileSync(file, "utf8")).toContain("last"), 5000);
    owner.kill("SIGKILL");
    await once(owner, "exit");

    const store = await openEmbeddedRedis({ file });
    expect(store.wasClean).toBe(false);
    expect(await store.backend.call(["GET", "first"])).toBe("kept");
    expect(await store.backend.call(["GET", "last"])).toBe("kept");
    await store.close();
  });

  it("saves deletions too", async () => {
    const first = await openEmbeddedRedis({ file });
    await first.backend.call(["SET", "gone", "x"]);
    await vi.waitFor(() => expect(readFileSync(file, "utf8")).toContain("gone"), 5000);
    await first.backend.call(["DEL", "gone"]);
    await vi.waitFor(() => expect(readFileSync(file, "utf8")).not.toContain("gone"), 5000);
    await first.close();
  });

  it("renames an unreadable file and starts empty", async () => {
    const first = await openEmbeddedRedis({ file });
    await write(first.backend);
    await first.close();
    truncateSync(file, 100);

    const warning = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const second = await openEmbeddedRedis({ file });
    expect(second.wasClean).toBe(false);
    expect(await second.backend.call(["DBSIZE"])).toBe(0);
    expect(readFileSync(`${file}.unreadable`, "utf8")).toHaveLength(100);
    expect(warning).toHaveBeenCalledWith(expect.stringContaining(".unreadable"));
    await second.close();
  });

  it("isolates stores in memory from each other", async () => {
    const [one, other] = await Promise.all([openEmbeddedRedis({}), openEmbeddedRedis({})]);
    await one.backend.call(["SET", "key", "x"]);
    expect(await other.backend.call(["GET", "key"])).toBeNull();
    await Promise.all([one.close(), other.close()]);
  });

  it("executes the calls of one tick in order", async () => {
    const { backend, close } = await openEmbeddedRedis({});
    const calls = Array.from({ length: 50 }, () => backend.call(["INCR", "n"]));
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    await close();
  });
});

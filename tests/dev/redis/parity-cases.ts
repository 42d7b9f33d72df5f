import { createHash } from "node:crypto";
import { expect } from "vitest";

/** A command and the expected reply of every Redis server, after the steps before it. */
export type Step = [command: (string | number)[], answer: unknown];

const script = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1]), false, {1, 'two'}}";
const append250 = "for i = 1, 250 do redis.call('XADD', KEYS[1], i .. '-0', 'n', i) end";
const flagged = `#!lua flags=allow-key-locking\n${script}`;
const large = Array.from({ length: 400 }, (_, i) => [`field-${i}`, "x".repeat(i)]).flat();

const noScript = error("NOSCRIPT No matching script. Please use EVAL.");
const noStreamKey = error(
  "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);
const noGroup = (key: string) => error(`NOGROUP No such consumer group 'g' for key name '${key}'`);
const wrongType = error("WRONGTYPE Operation against a key holding the wrong kind of value");

/** Each case uses only keys that start with `k`. */
export const cases: Record<string, (k: string) => Step[]> = {
  "strings: SET with its options": (k) => [
    [["SET", `${k}a`, "1"], "OK"],
    [["SET", `${k}a`, "2", "NX"], null],
    [["SET", `${k}a`, "2", "XX", "EX", 100], "OK"],
    [["PTTL", `${k}a`], near(99_000, 100_000)],
    [["SET", `${k}a`, "3", "GET"], "2"],
    [["PTTL", `${k}a`], -1],
    [["SET", `${k}a`, "4", "PX", 60_000, "GET"], "3"],
    [["TTL", `${k}a`], near(59, 60)],
    [["SET", `${k}a`, "5", "KEEPTTL"], "OK"],
    [["TTL", `${k}a`], near(59, 60)],
    [["SET", `${k}b`, "1", "NX", "EX", 5], "OK"],
    [["SET", `${k}a`, "1", "EX", 0], error("ERR invalid expire time in 'set' command")],
    [["SET", `${k}a`, "1", "NX", "XX"], error("ERR syntax error")],
    [["GETEX", `${k}a`, "PERSIST"], "5"],
    [["TTL", `${k}a`], -1],
    [["GETEX", `${k}a`], "5"],
    [["GETDEL", `${k}a`], "5"],
    [["GET", `${k}a`], null],
    [["GETDEL", `${k}a`], null],
    [["MSET", `${k}c`, 1, `${k}d`, 2], "OK"],
    [
      ["MGET", `${k}c`, `${k}absent`, `${k}d`],
      ["1", null, "2"],
    ],
    [["STRLEN", `${k}c`], 1],
  ],
  "strings: counters": (k) => [
    [["INCR", `${k}n`], 1],
    [["INCRBY", `${k}n`, 41], 42],
    [["INCRBY", `${k}n`, -50], -8],
    [["DECR", `${k}n`], -9],
    [["INCRBYFLOAT", `${k}n`, "0.5"], "-8.5"],
    [["INCR", `${k}n`], error("ERR value is not an integer or out of range")],
    [["SET", `${k}big`, "9007199254740993"], "OK"],
    [["GET", `${k}big`], "9007199254740993"],
  ],
  "special characters": (k) => [
    [["SET", `${k}u`, 'é ✓ 𝄞 \u0000 \r\n " \\ OK'], "OK"],
    [["GET", `${k}u`], 'é ✓ 𝄞 \u0000 \r\n " \\ OK'],
    [["SET", `${k}u`, ""], "OK"],
    [["GET", `${k}u`], ""],
    [["SET", `${k}u`, "OK"], "OK"],
    [["GET", `${k}u`], "OK"],
    [["MGET", `${k}u`], ["OK"]],
    [["SET", `${k}u`, "\u0001\u007f\u0080\u00ff"], "OK"],
    [["GET", `${k}u`], "\u0001\u007f\u0080\u00ff"],
  ],
  hashes: (k) => [
    [["HSET", `${k}h`, "user", "u1", "role", "learner", "n", 1], 3],
    [["HSET", `${k}h`, "role", "admin", "new", ""], 1],
    [
      ["HMGET", `${k}h`, "user", "absent", "role", "new"],
      ["u1", null, "admin", ""],
    ],
    [
      ["HGETALL", `${k}h`],
      ["user", "u1", "role", "admin", "n", "1", "new", ""],
    ],
    [["HGETALL", `${k}absent`], []],
    [
      ["HMGET", `${k}absent`, "a", "b"],
      [null, null],
    ],
    [["HGET", `${k}h`, "user"], "u1"],
    [["HINCRBY", `${k}h`, "n", 41], 42],
    [["HINCRBY", `${k}h`, "fresh", -1], -1],
    [["HINCRBY", `${k}h`, "user", 1], error("ERR hash value is not an integer")],
    [["HSETNX", `${k}h`, "user", "u2"], 0],
    [["HEXISTS", `${k}h`, "user"], 1],
    [["HLEN", `${k}h`], 5],
    [
      ["HKEYS", `${k}h`],
      ["user", "role", "n", "new", "fresh"],
    ],
    [["HDEL", `${k}h`, "n", "new", "fresh", "absent"], 3],
    [["HSET", `${k}h`, "odd"], error("ERR wrong number of arguments for 'hset' command")],
    [["HSET", `${k}large`, ...large], 400],
    [["HGET", `${k}large`, "field-399"], "x".repeat(399)],
    [["HLEN", `${k}large`], 400],
  ],
  "keys and expiry": (k) => [
    [["SET", `${k}a`, 1], "OK"],
    [["EXISTS", `${k}a`, `${k}a`, `${k}absent`], 2],
    [["EXPIRE", `${k}a`, 100], 1],
    [["EXPIRE", `${k}a`, 50, "GT"], 0],
    [["EXPIRE", `${k}a`, 50, "LT"], 1],
    [["EXPIRE", `${k}a`, 50, "NX"], 0],
    [["EXPIRE", `${k}a`, 60, "XX"], 1],
    [["EXPIRE", `${k}absent`, 60], 0],
    [["PEXPIRE", `${k}a`, 90_000], 1],
    [["PTTL", `${k}a`], near(89_000, 90_000)],
    [["PEXPIREAT", `${k}a`, 4_102_444_800_000], 1],
    [["PEXPIRETIME", `${k}a`], 4_102_444_800_000],
    [["PERSIST", `${k}a`], 1],
    [["PTTL", `${k}a`], -1],
    [["PTTL", `${k}absent`], -2],
    [["TYPE", `${k}a`], "string"],
    [["EXPIRE", `${k}a`, -1], 1],
    [["EXISTS", `${k}a`], 0],
    [["SET", `${k}b`, 1], "OK"],
    [["DEL", `${k}b`, `${k}absent`], 1],
    [["UNLINK", `${k}b`], 0],
    [["RENAME", `${k}b`, `${k}c`], error("ERR no such key")],
    [["PING"], "PONG"],
  ],
  sets: (k) => [
    [["SADD", `${k}s`, "a", "b", "a"], 2],
    [
      ["SMISMEMBER", `${k}s`, "a", "x", "b"],
      [1, 0, 1],
    ],
    [
      ["SMISMEMBER", `${k}absent`, "a", "x"],
      [0, 0],
    ],
    [["SISMEMBER", `${k}s`, "a"], 1],
    [["SREM", `${k}s`, "a", "x"], 1],
    [["SMEMBERS", `${k}s`], ["b"]],
    [["SCARD", `${k}s`], 1],
  ],
  "sorted sets": (k) => [
    [["ZADD", `${k}z`, 1, "a", "2.5", "b"], 2],
    [["ZADD", `${k}z`, "NX", 9, "a"], 0],
    [["ZADD", `${k}z`, "XX", "CH", 3, "a"], 1],
    [["ZADD", `${k}z`, "GT", "CH", 1, "a"], 0],
    [["ZADD", `${k}z`, "INCR", 1, "a"], "4"],
    [["ZADD", `${k}z`, "+inf", "top"], 1],
    [
      ["ZRANGE", `${k}z`, 0, -1, "WITHSCORES"],
      ["b", "2.5", "a", "4", "top", "inf"],
    ],
    [["ZRANGE", `${k}z`, "(2.5", "+inf", "BYSCORE", "LIMIT", 0, 1], ["a"]],
    [["ZSCORE", `${k}z`, "b"], "2.5"],
    [["ZCARD", `${k}z`], 3],
    [["ZREMRANGEBYSCORE", `${k}z`, "-inf", 3], 1],
    [["ZADD", `${k}z`, "x", "a"], error("ERR value is not a valid float")],
  ],
  streams: (k) => [
    [["XADD", `${k}x`, "1-1", "type", "a"], "1-1"],
    [
      ["XADD", `${k}x`, "1-1", "type", "b"],
      error("ERR The ID specified in XADD is equal or smaller than the target stream top item"),
    ],
    [["XADD", `${k}x`, "2-0", "MAXLEN", "="], "2-0"],
    [["XADD", `${k}x`, "MAXLEN", "=", 2, "3-0", "type", "c"], "3-0"],
    [["XADD", `${k}x`, "NOMKSTREAM", "MAXLEN", 2, "4-0", "type", "d"], "4-0"],
    [["XADD", `${k}absent`, "NOMKSTREAM", "*", "type", "d"], null],
    [["XLEN", `${k}x`], 2],
    [
      ["XRANGE", `${k}x`, "-", "+"],
      [
        ["3-0", ["type", "c"]],
        ["4-0", ["type", "d"]],
      ],
    ],
    [["XRANGE", `${k}x`, "(3-0", "+", "COUNT", 1], [["4-0", ["type", "d"]]]],
    [["XREVRANGE", `${k}x`, "+", "-", "COUNT", 1], [["4-0", ["type", "d"]]]],
    [["XTRIM", `${k}x`, "MINID", "=", "4-0"], 1],
    [["XTRIM", `${k}x`, "MAXLEN", 0], 1],
    [["XRANGE", `${k}x`, "-", "+"], []],
    [["XGROUP", "CREATE", `${k}x`, "g", "0"], "OK"],
    [["XADD", `${k}x`, "5-0", "type", "e"], "5-0"],
    [
      ["XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", `${k}x`, ">"],
      [[`${k}x`, [["5-0", ["type", "e"]]]]],
    ],
    [["XACK", `${k}x`, "g", "5-0"], 1],
    [["XDEL", `${k}x`, "5-0"], 1],
  ],
  "streams: missing keys and groups": (k) => [
    [["XACK", `${k}x`, "g", "1-0"], 0],
    [["XGROUP", "DESTROY", `${k}x`, "g"], noStreamKey],
    [["XGROUP", "CREATE", `${k}x`, "g", "$"], noStreamKey],
    [["XGROUP", "SETID", `${k}x`, "g", "0"], noStreamKey],
    [["XADD", `${k}x`, "1-0", "type", "a"], "1-0"],
    [["XACK", `${k}x`, "g", "1-0"], 0],
    [["XGROUP", "DESTROY", `${k}x`, "g"], 0],
    [["XGROUP", "SETID", `${k}x`, "g", "0"], noGroup(`${k}x`)],
    [["XGROUP", "CREATECONSUMER", `${k}x`, "g", "c"], noGroup(`${k}x`)],
    [["XGROUP", "DELCONSUMER", `${k}x`, "g", "c"], noGroup(`${k}x`)],
    [["XGROUP", "CREATE", `${k}new`, "g", "$", "MKSTREAM"], "OK"],
    [
      ["XGROUP", "CREATE", `${k}new`, "g", "$"],
      error("BUSYGROUP Consumer Group name already exists"),
    ],
    [["XGROUP", "DESTROY", `${k}new`, "g"], 1],
    [["SET", `${k}s`, 1], "OK"],
    [["XACK", `${k}s`, "g", "1-0"], wrongType],
    [["XGROUP", "DESTROY", `${k}s`, "g"], wrongType],
  ],
  "streams: ~ removes only whole nodes of 100 entries": (k) => [
    [["EVAL", append250, 1, `${k}x`], null],
    [["XTRIM", `${k}x`, "MAXLEN", "~", 200], 0],
    [["XTRIM", `${k}x`, "MAXLEN", "~", 10, "LIMIT", 99], 0],
    [["XTRIM", `${k}x`, "MAXLEN", "~", 10, "LIMIT", 150], 100],
    [["XTRIM", `${k}x`, "MINID", "~", "200-0"], 0],
    [["XADD", `${k}x`, "MINID", "~", "201-0", "300-0", "n", 1], "300-0"],
    [["XLEN", `${k}x`], 51],
    [["XADD", `${k}x`, "MAXLEN", "~", 10, "301-0", "n", 1], "301-0"],
    [["XLEN", `${k}x`], 52],
    [["XTRIM", `${k}x`, "MAXLEN", "~", 0], 52],
    [
      ["XTRIM", `${k}x`, "MAXLEN", 10, "LIMIT", 1],
      error("ERR syntax error, LIMIT cannot be used without the special ~ option"),
    ],
    [["XTRIM", `${k}absent`, "MAXLEN", "~", 10], 0],
    [["SET", `${k}s`, 1], "OK"],
    [["XTRIM", `${k}s`, "MAXLEN", "~", 10], wrongType],
  ],
  lists: (k) => [
    [["RPUSH", `${k}l`, "a", "b", "c"], 3],
    [["LPUSH", `${k}l`, "z"], 4],
    [
      ["LRANGE", `${k}l`, 0, -1],
      ["z", "a", "b", "c"],
    ],
    [["LTRIM", `${k}l`, 0, 1], "OK"],
    [["RPOP", `${k}l`], "a"],
    [["LLEN", `${k}l`], 1],
  ],
  scripts: (k) => [
    [["EVALSHA", sha(`${script} -- ${k}`), 1, `${k}e`, "é"], noScript],
    [
      ["EVAL", script, 1, `${k}e`, "é"],
      [`${k}e`, "é", 1, null, [1, "two"]],
    ],
    [
      ["EVALSHA", sha(script), 1, `${k}e`, "é"],
      [`${k}e`, "é", 2, null, [1, "two"]],
    ],
    [["SCRIPT", "LOAD", flagged], sha(flagged)],
    [
      ["EVALSHA", sha(flagged), 1, `${k}e`, "é"],
      [`${k}e`, "é", 3, null, [1, "two"]],
    ],
    [
      ["EVAL", flagged, 1, `${k}e`, "é"],
      [`${k}e`, "é", 4, null, [1, "two"]],
    ],
    [
      ["EVALSHA", sha(flagged).toUpperCase(), 1, `${k}e`, "é"],
      [`${k}e`, "é", 5, null, [1, "two"]],
    ],
    [
      ["SCRIPT", "EXISTS", sha(flagged), sha("return 0 -- never"), sha(script)],
      [1, 0, 1],
    ],
    [["SCRIPT", "LOAD", "return 1"], sha("return 1")],
    [["EVAL", "return redis.error_reply('MY no')", 0], error("MY no")],
    [["EVAL", "return redis.status_reply('FINE')", 0], "FINE"],
    [["EVAL", "return cjson.encode({a=1})", 0], '{"a":1}'],
    [["EVAL", "return tonumber('3.9')", 0], 3],
    [["EVAL", "return redis.call('TIME')[1] ~= nil", 0], 1],
  ],
  "commands of operators and their tools": (k) => [
    [["ECHO", "é ✓"], "é ✓"],
    [["ECHO"], error("ERR wrong number of arguments for 'echo' command")],
    [["MEMORY", "USAGE", `${k}absent`], null],
    [["SET", `${k}n`, 42], "OK"],
    [["SET", `${k}short`, "x".repeat(44)], "OK"],
    [["SET", `${k}long`, "x".repeat(2000)], "OK"],
    [["MEMORY", "USAGE", `${k}n`], near(20, 200)],
    [["MEMORY", "USAGE", `${k}long`, "SAMPLES", 5], near(2000, 4000)],
    [["MEMORY", "USAGE"], error("ERR wrong number of arguments for 'memory|usage' command")],
    [["MEMORY", "USAGE", `${k}n`, "SAMPLES"], error("ERR syntax error")],
    [["MEMORY", "NONSENSE"], error("ERR unknown subcommand 'NONSENSE'. Try MEMORY HELP.")],
    [["HSET", `${k}h`, "a", 1], 1],
    [["HSET", `${k}wide`, "a", "x".repeat(65)], 1],
    [["HSET", `${k}large`, ...large], 400],
    [["SADD", `${k}ints`, 1, -2], 2],
    [["SADD", `${k}s`, 1, "a"], 2],
    [["ZADD", `${k}z`, 1, "a"], 1],
    [["ZADD", `${k}zwide`, 1, "x".repeat(65)], 1],
    [["RPUSH", `${k}l`, "a"], 1],
    [["XADD", `${k}x`, "1-0", "a", 1], "1-0"],
    [["OBJECT", "ENCODING", `${k}absent`], null],
    [["OBJECT", "ENCODING", `${k}n`], "int"],
    [["OBJECT", "ENCODING", `${k}short`], "embstr"],
    [["OBJECT", "ENCODING", `${k}long`], "raw"],
    [["OBJECT", "ENCODING", `${k}h`], "listpack"],
    [["OBJECT", "ENCODING", `${k}wide`], "hashtable"],
    [["OBJECT", "ENCODING", `${k}large`], "hashtable"],
    [["OBJECT", "ENCODING", `${k}ints`], "intset"],
    [["OBJECT", "ENCODING", `${k}s`], "hashtable"],
    [["OBJECT", "ENCODING", `${k}z`], "listpack"],
    [["OBJECT", "ENCODING", `${k}zwide`], "skiplist"],
    [["OBJECT", "ENCODING", `${k}l`], "quicklist"],
    [["OBJECT", "ENCODING", `${k}x`], "stream"],
    [["OBJECT", "ENCODING"], error("ERR wrong number of arguments for 'object|encoding' command")],
    [["OBJECT", "NONSENSE", `${k}n`], error("ERR unknown subcommand 'NONSENSE'. Try OBJECT HELP.")],
  ],
  errors: (k) => [
    [["SET", `${k}s`, 1], "OK"],
    [["HGET", `${k}s`, "f"], wrongType],
    [["SADD", `${k}s`, "f"], wrongType],
    [["GET"], error("ERR wrong number of arguments for 'get' command")],
    [["SET", `${k}s`], error("ERR wrong number of arguments for 'set' command")],
    [["EXPIRE", `${k}s`, "soon"], error("ERR value is not an integer or out of range")],
    [["EVAL", "return 1", "x"], error("ERR value is not an integer or out of range")],
    [["SUBSCRIBE", "c"], error("ERR Command is not available: 'SUBSCRIBE'")],
    [["blpop", `${k}l`, 0], error("ERR Command is not available: 'BLPOP'")],
    [["XREAD", "BLOCK", 0, "STREAMS", "x", "$"], error("ERR Command is not available: 'XREAD'")],
    [["XREAD", "STREAMS", `${k}BLOCK`, "0"], null],
  ],
};

/** Matches the client's error: the server's message, followed by the command. */
function error(message: string) {
  return expect.objectContaining({ message: expect.stringContaining(`${message}, command was: `) });
}

function near(min: number, max: number) {
  return expect.toSatisfy((n: number) => n >= min && n <= max, `from ${min} to ${max}`);
}

function sha(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

import fc from "fast-check";
import type { RedisBackend } from "../../../lib/platform/redis-transport/upstash-protocol.js";

/**
 * Commands of our code, of operators and of their tools. `(a|b|)` is a choice, `<K>` a random value. Left out, because the
 * embedded Redis differs: commands with several mistakes, invalid stream IDs, an option given twice, INCRBYFLOAT (Redis has
 * longer fractions), XINFO and XPENDING (some fields).
 */
const templates = `
SET <K> <V> (NX|XX|GET|KEEPTTL|EX 1000|PX 1000000|EXAT <T>|PXAT <T>000|EX 0|EX x|NX XX|KEEPTTL EX 1000|NX GET|FOO|)
GET <K>
GETEX <K> (EX 1000|PX 1000000|EXAT <T>|PERSIST|)
GETDEL <K>
MGET <K> <K>
STRLEN <K>
APPEND <K> <V>
INCR <K>
DECRBY <K> <N>
INCRBY <K> (<N>|x|1.5|9223372036854775807)
SETEX <K> 1000 <V>
SETNX <K> <V>
GETRANGE <K> <N> <N>
DEL <K> (<K>|)
UNLINK <K>
EXISTS <K> <K>
TYPE <K>
TTL <K>
PTTL <K>
EXPIRE <K> (1000|100|-1|x|1.5)
EXPIRE <K> 1000 (NX|XX|NX GT|GT LT|FOO)
PEXPIRE <K> 1000000 (NX|XX|)
EXPIREAT <K> (<T>|1) (NX|XX|GT|LT|)
PEXPIREAT <K> <T>000
EXPIRETIME <K>
PERSIST <K>
RENAME <K> <K>
COPY <K> <K> (REPLACE|)
HSET <K> <M> <V> (<M> <N>|)
HSETNX <K> <M> <V>
HGET <K> <M>
HMGET <K> <M> <M>
HGETALL <K>
HDEL <K> <M>
HEXISTS <K> <M>
HLEN <K>
HKEYS <K>
HINCRBY <K> <M> (<N>|x|1.5|9223372036854775807)
HSCAN <K> 0 (MATCH *|MATCH a*|) COUNT 100
SADD <K> <M> (<M>|)
SREM <K> <M>
SMISMEMBER <K> <M> <M>
SMEMBERS <K>
SCARD <K>
SSCAN <K> 0 COUNT 100
ZADD <K> (NX|XX|GT|LT|CH|INCR|NX GT|XX NX|) (1|2|-2.5|inf|x) <M>
ZRANGE <K> (0|1|-2) (0|-1|2) (REV|WITHSCORES|)
ZRANGE <K> <B> <B> BYSCORE (LIMIT 0 1|WITHSCORES|)
ZREMRANGEBYSCORE <K> <B> <B>
ZSCORE <K> <M>
ZCARD <K>
ZREM <K> <M>
RPUSH <K> <V>
LPUSH <K> <V> <V>
LPOP <K> (2|0|)
LRANGE <K> (0|1|-2) (0|-1|2)
LLEN <K>
LTRIM <K> (0|1|-2) (0|-1|2)
XADD <K> (<I>|1-*|9-*) <M> <V> (<M> <V>|)
XADD <K> (MAXLEN|MAXLEN =) (0|1|2) (<I>|7-*) <M> <V>
XADD <K> MINID (=|) <I> (<I>|8-*) <M> <V>
XADD <K> MAXLEN ~ (1|100) (LIMIT 0|LIMIT 10|) (<I>|8-*) <M> <V>
XLEN <K>
XDEL <K> <I> (<I>|)
XTRIM <K> MAXLEN (=|~|) (0|1|2)
XTRIM <K> MAXLEN ~ (0|1) LIMIT (0|1|10)
XTRIM <K> MINID (=|~|) <I> 
XRANGE <K> (-|<I>|[<I>) (+|<I>|[<I>) (COUNT 1|COUNT 10|)
XREVRANGE <K> (+|<I>|[<I>) (-|<I>|[<I>) (COUNT 1|COUNT 10|)
XREAD (COUNT 1|) STREAMS <K> (<I>|0|$)
XGROUP CREATE <K> <G> (0|$|<I>) (MKSTREAM|)
XGROUP (DESTROY <K> <G>|SETID <K> <G> (0|$|<I>)|CREATECONSUMER <K> <G> <C>|DELCONSUMER <K> <G> <C>)
XREADGROUP GROUP <G> <C> (COUNT 1|) (NOACK|) STREAMS <K> (>|>|>|0|<I>)
XACK <K> <G> <I> (<I>|)
XCLAIM <K> <G> <C> 0 <I> (JUSTID|FORCE|)
XAUTOCLAIM <K> <G> <C> 0 (0|<I>) (COUNT 1|) (JUSTID|)
SCAN 0 (MATCH *|MATCH k*|MATCH nothing|) COUNT 1000 (TYPE hash|TYPE stream|TYPE string|TYPE nothing|)
SCAN (0 COUNT 0|0 COUNT x|0 FOO|x)
KEYS (*|k?|k[12]|none)
DBSIZE
ECHO <V>
PING (<V>|)
CONFIG GET (maxmemory|maxmemory-policy|databases|nothing)
EVAL script-(1|2|3|4) 1 <K> <V>
EVALSHA (0123456789012345678901234567890123456789|x) 0
NONSENSE text 7
`
  .trim()
  .split("\n");

const values: Record<string, readonly string[]> = {
  K: ["k1", "k2", "k3", "k4", "k5"],
  V: ["", "0", "7", "-3", "1.5", "text", "é ✓", " 1", "01", "x".repeat(50)],
  N: ["0", "1", "2", "-1", "100"],
  B: ["-inf", "+inf", "(1", "1", "300"],
  M: ["a", "b", "c", "", "1"],
  T: ["4102444800", "4102444801"],
  I: ["1-1", "1-2", "2-0", "2", "3-5", "5-1", "9"],
  G: ["g", "h"],
  C: ["c", "d"],
};

const scripts: Record<string, string> = {
  "script-1": "return redis.call('INCR', KEYS[1])",
  "script-2": "return {1, 'a', false, {true}, 3.7, ARGV[1], {err = 'MY error'}}",
  "script-3": "return redis.pcall('HGET', KEYS[1], 'a')",
  "script-4": "return redis.call('SET', KEYS[1], ARGV[1])",
};

/** The same commands for the same seed. The first ones are the names alone, without arguments. */
export function generatedCommands(seed: number, count: number): string[][] {
  const names = new Set(templates.map((template) => template.split(" ", 1).join()));
  const [numbers] = fc.sample(fc.infiniteStream(fc.nat()), { seed, numRuns: 1 });
  const pick = <T>(from: readonly T[]) => from[numbers?.next().value % from.length] as T;
  return [
    ...[...names].map((name) => [name]),
    ...Array.from({ length: count }, () => filled(pick(templates), pick)),
  ];
}

function filled(template: string, pick: <T>(from: readonly T[]) => T): string[] {
  const choice = /\(([^()]*)\)/g;
  let text = template;
  while (choice.test(text)) text = text.replace(choice, (_, all: string) => pick(all.split("|")));
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => word.replace(/^\[/, "(").replace(/<(\w)>/, (_, of) => pick(values[of] ?? [])))
    .map((word) => scripts[word] ?? word);
}

/** A line for each command, with its reply. Equal on equal servers. */
export async function repliesTo(backend: RedisBackend, commands: string[][]): Promise<string[]> {
  const lines: string[] = [];
  for (const command of commands) {
    const reply = await backend.call(command).catch((error: Error) => `-${error.message}`);
    lines.push(`${JSON.stringify(command)} → ${JSON.stringify(comparable(command, reply))}`);
  }
  return lines;
}

function comparable([name = ""]: string[], reply: unknown): unknown {
  if (/^(P?TTL|EXPIRETIME)$/.test(name)) return duration(name, Number(reply)) ?? reply;
  if (/^(SMEMBERS|KEYS)$/.test(name) && Array.isArray(reply)) return reply.sort();
  if (/^S?SCAN$/.test(name) && Array.isArray(reply)) return [reply[0], reply[1].sort()];
  return reply;
}

/** Rounded, and only named if it depends on the date. */
function duration(name: string, reply: number): string | undefined {
  const seconds = name === "PTTL" ? reply / 1000 : reply;
  if (!(seconds > 0) || seconds > 4e9) return undefined;
  return seconds > 1e6 ? "long" : `up to ${Math.ceil(seconds / 100)}00 s`;
}

export const recorded = { seed: 1, count: 600, file: "tests/dev/redis/recorded-replies.txt" };

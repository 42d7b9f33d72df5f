import {
  defineCommand,
  RedisCommandError,
  type RedisDataValue,
  RedisResult,
  RedisSyntaxError,
  RedisValue,
  t,
  WrongNumberOfArgumentsError,
} from "js-redis-server/core";
import { encodeSnapshot } from "./redis-snapshot-format.js";

/** Only USAGE: an estimate from the size in the snapshot. */
export const memory = inspection("memory", "usage", (value, key, options) => {
  const [name, samples] = options.map(String);
  const isSamples = name?.toUpperCase() === "SAMPLES" && /^\d+$/.test(samples ?? "");
  if (options.length > 0 && !(isSamples && options.length === 2)) throw new RedisSyntaxError();
  return value && RedisValue.integer(48 + key.length + encodeSnapshot(value).length);
});

/** Only ENCODING: the one that Redis 7.0 gives a new key of this content. */
export const object = inspection("object", "encoding", (value, _key, options) => {
  if (options.length > 0) throw new WrongNumberOfArgumentsError("object|encoding");
  return value && RedisValue.bulkString(Buffer.from(encodingOf(value)));
});

function inspection(
  name: string,
  subcommand: string,
  inspect: (value: RedisDataValue | null, key: Buffer, options: Buffer[]) => RedisValue | null,
) {
  return defineCommand({
    name,
    schema: t.object({ subcommand: t.string(), args: t.variadic(t.bulk()) }),
    flags: ["readonly"],
    keys: ({ args: [key] }) => (key ? [key] : []),
    execute: ({ subcommand: given, args: [key, ...options] }, { db }) => {
      if (given.toLowerCase() !== subcommand) {
        const help = `Try ${name.toUpperCase()} HELP.`;
        throw new RedisCommandError(`unknown subcommand '${given}'. ${help}`);
      }
      if (!key) throw new WrongNumberOfArgumentsError(`${name}|${subcommand}`);
      return RedisResult.create(inspect(db.get(key), key, options) ?? RedisValue.null());
    },
  });
}

function encodingOf(value: RedisDataValue): string {
  switch (value.type) {
    case "string":
      if (isInteger(value.value)) return "int";
      return value.value.length <= 44 ? "embstr" : "raw";
    case "list":
      return "quicklist";
    case "set":
      return value.members.size <= 512 && [...value.members.values()].every(isInteger)
        ? "intset"
        : "hashtable";
    case "hash": {
      const parts = [...value.fields.values()].flatMap(({ field, value }) => [field, value]);
      return isCompact(parts, 2 * 128) ? "listpack" : "hashtable";
    }
    case "zset": {
      const members = [...value.members.values()].map(({ member }) => member);
      return isCompact(members, 128) ? "listpack" : "skiplist";
    }
    case "stream":
      return "stream";
  }
}

function isCompact(parts: Buffer[], max: number): boolean {
  return parts.length <= max && parts.every((part) => part.length <= 64);
}

function isInteger(bytes: Buffer): boolean {
  const text = String(bytes);
  return /^-?\d{1,19}$/.test(text) && String(BigInt.asIntN(64, BigInt(text))) === text;
}

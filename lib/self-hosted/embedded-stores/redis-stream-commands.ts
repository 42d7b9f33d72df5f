import {
  type CommandDefinition,
  RedisCommandError,
  RedisResult,
  type RedisStreamData,
  RedisValue,
} from "js-redis-server/core";

type Entry = RedisStreamData["entries"][number];

/** The arguments as js-redis-server parses them. */
type Trim = { approximate: boolean; limit: number | null } & (
  | { strategy: "maxlen"; count: bigint }
  | { strategy: "minid"; minId: Entry["id"] }
);
type TrimArgs = { key: Buffer; trim?: Trim; fields?: Buffer[] };
type GroupArgs = { subcommand: string; key: Buffer; group: Buffer; mkstream?: boolean };

/** The commands in which js-redis-server differs from Redis. */
export const streamCorrections: Record<
  string,
  (definition: CommandDefinition) => CommandDefinition
> = {
  xadd: (definition) => withWholeNodeTrim(withExactTrim(definition)),
  xtrim: (definition) => withWholeNodeTrim(withExactTrim(definition)),
  xack: withZeroWithoutGroup,
  xgroup: withErrorsOfRedis,
};

/** Removes `=` from `MAXLEN = n` and `MINID = id`, which js-redis-server rejects. */
function withExactTrim(definition: CommandDefinition): CommandDefinition {
  const { schema } = definition;
  return {
    ...definition,
    schema: {
      parse(input, index, context) {
        const sign = exactSignAt(input);
        if (sign === -1) return schema.parse(input, index, context);
        const { value, nextIndex } = schema.parse(input.toSpliced(sign, 1), index, context);
        return { value, nextIndex: nextIndex + 1 };
      },
    },
  };
}

function exactSignAt(input: readonly Buffer[]): number {
  const strategy = /^NOMKSTREAM$/i.test(String(input[1])) ? 2 : 1;
  const isTrim = /^(MAXLEN|MINID)$/i.test(String(input[strategy]));
  return isTrim && String(input[strategy + 1]) === "=" ? strategy + 1 : -1;
}

/** `~` removes whole nodes only, at most LIMIT entries. js-redis-server ignores both. */
function withWholeNodeTrim(definition: CommandDefinition): CommandDefinition {
  return {
    ...definition,
    execute(args: TrimArgs, context) {
      const { key, trim, fields } = args;
      if (!trim?.approximate) return definition.execute(args, context);
      const entries = [...(context.db.getStream(key)?.entries ?? [])];
      // XADD trims after it has added its entry.
      if (fields) entries.push({ id: { ms: 2n ** 64n, seq: 0n }, fields });
      const count = BigInt(entries.length - removableCount(entries, trim));
      const exact = { strategy: "maxlen", count, approximate: false, limit: null };
      return definition.execute({ ...args, trim: exact }, context);
    },
  };
}

function removableCount(entries: Entry[], trim: Trim): number {
  const limit = trim.limit ?? 10_000;
  let removed = 0;
  for (const node of nodesOf(entries)) {
    const after = removed + node.length;
    const isRemovable =
      trim.strategy === "maxlen"
        ? BigInt(entries.length - after) >= trim.count
        : node.every(({ id }) => isBefore(id, trim.minId));
    if (!isRemovable || (limit > 0 && after > limit)) break;
    removed = after;
  }
  return removed;
}

/** About as Redis fills them by default. */
function nodesOf(entries: Entry[]): Entry[][] {
  const nodes: Entry[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    const size = Buffer.concat(entry.fields).length;
    const node = nodes.at(-1);
    if (node && node.length < 100 && bytes + size < 4096) node.push(entry);
    else {
      nodes.push([entry]);
      bytes = 0;
    }
    bytes += size;
  }
  return nodes;
}

function isBefore(a: Entry["id"], b: Entry["id"]): boolean {
  return a.ms < b.ms || (a.ms === b.ms && a.seq < b.seq);
}

function withZeroWithoutGroup(definition: CommandDefinition): CommandDefinition {
  return {
    ...definition,
    execute(args, context) {
      try {
        return definition.execute(args, context);
      } catch (error) {
        if (isNoGroup(error)) return RedisResult.create(RedisValue.integer(0));
        throw error;
      }
    },
  };
}

function withErrorsOfRedis(definition: CommandDefinition): CommandDefinition {
  return {
    ...definition,
    execute(parsed: { args: GroupArgs }, context) {
      const { subcommand, key, group } = parsed.args;
      // CREATE has this error already.
      if (subcommand !== "create" && !context.db.getStream(key)) throw new RedisCommandError(noKey);
      try {
        return definition.execute(parsed, context);
      } catch (error) {
        if (!isNoGroup(error)) throw error;
        const message = `No such consumer group '${group}' for key name '${key}'`;
        throw new RedisCommandError(message, "NOGROUP");
      }
    },
  };
}

const noKey =
  "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.";

function isNoGroup(error: unknown): boolean {
  return error instanceof RedisCommandError && error.code === "NOGROUP";
}

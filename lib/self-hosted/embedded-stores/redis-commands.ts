import {
  CommandExecutor,
  createAuthPolicy,
  createRedisCommandRegistry,
  createTransactionPolicy,
  redisCommandDefinitions,
  resolveCompatibilityProfile,
} from "js-redis-server/core";

type Definition = (typeof redisCommandDefinitions)[number];

export const compatibility = "redis-7.0";

/** Those of js-redis-server, with `=` in XADD and XTRIM as in Redis, and AUTH with any password. */
export function embeddedRedisCommands(): CommandExecutor {
  const profile = resolveCompatibilityProfile(compatibility);
  const registry = createRedisCommandRegistry([], profile);
  for (const name of ["xadd", "xtrim"]) registry.override(withExactTrim(definitionOf(name)));
  registry.override(withOpenAuth(definitionOf("auth")));
  return new CommandExecutor({
    registry,
    profile,
    policies: [createAuthPolicy(), createTransactionPolicy()],
  });
}

function definitionOf(name: string): Definition {
  const found = redisCommandDefinitions.find((definition) => definition.name === name);
  if (!found) throw new Error(`js-redis-server has no command ${name}.`);
  return found;
}

/** Removes `=` from `MAXLEN = n` and `MINID = id`, which js-redis-server rejects. */
function withExactTrim(definition: Definition): Definition {
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

/** Any password is accepted: the port is local. */
function withOpenAuth(definition: Definition): Definition {
  const { execute } = definition;
  return {
    ...definition,
    execute: (_password, context) =>
      execute({ args: [Buffer.from("default"), Buffer.alloc(0)] }, context),
  };
}

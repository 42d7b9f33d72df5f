import {
  type CommandDefinition,
  CommandExecutor,
  createAuthPolicy,
  createRedisCommandRegistry,
  createTransactionPolicy,
  defineCommand,
  RedisResult,
  RedisValue,
  redisCommandDefinitions,
  resolveCompatibilityProfile,
  t,
} from "js-redis-server/core";
import { memory, object } from "./redis-key-inspection.js";
import { streamCorrections } from "./redis-stream-commands.js";

export const compatibility = "redis-7.0";

/** Those of js-redis-server, with the commands and replies in which it differs from Redis, and AUTH with any password. */
export function embeddedRedisCommands(): CommandExecutor {
  const profile = resolveCompatibilityProfile(compatibility);
  const registry = createRedisCommandRegistry([echo, memory, object], profile);
  for (const [name, corrected] of Object.entries({ ...streamCorrections, auth: withOpenAuth })) {
    registry.override(corrected(definitionOf(name)));
  }
  return new CommandExecutor({
    registry,
    profile,
    policies: [createAuthPolicy(), createTransactionPolicy()],
  });
}

function definitionOf(name: string): CommandDefinition {
  const found = redisCommandDefinitions.find((definition) => definition.name === name);
  if (!found) throw new Error(`js-redis-server has no command ${name}.`);
  return found;
}

/** Any password is accepted: the port is local. */
function withOpenAuth(definition: CommandDefinition): CommandDefinition {
  const { execute } = definition;
  return {
    ...definition,
    execute: (_password, context) =>
      execute({ args: [Buffer.from("default"), Buffer.alloc(0)] }, context),
  };
}

const echo = defineCommand({
  name: "echo",
  schema: t.object({ message: t.bulk() }),
  flags: ["fast"],
  keys: () => [],
  execute: ({ message }) => RedisResult.create(RedisValue.bulkString(message)),
});

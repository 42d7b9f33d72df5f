import { toBackend, toClient } from "./scripts.js";

/**
 * Calls of one tick are sent together, in order. An error reply is an Error named `ReplyError` with the server's text: a
 * rejection of `call`, an entry of `multi` (or its rejection, if nothing ran). Other rejections are connection errors.
 */
export interface RedisBackend {
  call(command: string[]): Promise<unknown>;
  /** Not atomic. An error reply is an entry of the result. */
  pipeline(commands: string[][]): Promise<unknown[]>;
  multi(commands: string[][]): Promise<unknown[]>;
  close(): Promise<void>;
}

export type RedisPath = "" | "pipeline" | "multi-exec";

export interface RedisReply {
  status: number;
  body: unknown;
}

/** `body` is parsed JSON. Rejects only on connection errors. Source: https://upstash.com/docs/redis/features/restapi */
export async function handleRedis(
  backend: RedisBackend,
  path: RedisPath,
  body: unknown,
): Promise<RedisReply> {
  try {
    if (path === "") {
      return { status: 200, body: { result: await call(backend, parseCommand(body)) } };
    }
    const commands = parseCommands(body);
    const run = path === "multi-exec" ? execute : pipeline;
    return { status: 200, body: await run(backend, commands) };
  } catch (error) {
    return { status: 400, body: asError(error) };
  }
}

async function call(backend: RedisBackend, command: string[]): Promise<unknown> {
  requireAllowed(command);
  return toClient(command, await backend.call(toBackend(command)));
}

async function pipeline(backend: RedisBackend, commands: string[][]): Promise<unknown[]> {
  const refusals = commands.map((command) => refusalOf(command));
  const sent = commands.filter((_, index) => refusals[index] === undefined);
  const results = await backend.pipeline(sent.map(toBackend));
  let next = 0;
  return commands.map((command, index) => asReply(command, refusals[index] ?? results[next++]));
}

async function execute(backend: RedisBackend, commands: string[][]): Promise<unknown[]> {
  for (const command of commands) requireAllowed(command, "EXECABORT ");
  const results = await backend.multi(commands.map(toBackend));
  return commands.map((command, index) => asReply(command, results[index]));
}

function asReply(command: string[], result: unknown) {
  return result instanceof Error ? asError(result) : { result: toClient(command, result) };
}

function parseCommands(body: unknown): string[][] {
  if (!Array.isArray(body) || body.length === 0) throw replyError("ERR failed to parse pipeline");
  return body.map(parseCommand);
}

function parseCommand(body: unknown): string[] {
  if (!Array.isArray(body) || body.length === 0) throw replyError("ERR failed to parse command");
  const command = body.map(parseArgument);
  // ioredis transforms the replies of commands in lower case.
  command[0] = command[0]?.toUpperCase() ?? "";
  return command;
}

function parseArgument(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw replyError("ERR failed to parse command");
}

function requireAllowed(command: string[], prefix?: string): void {
  const refusal = refusalOf(command, prefix);
  if (refusal) throw refusal;
}

function refusalOf(command: string[], prefix = "ERR "): Error | undefined {
  const name = command[0] ?? "";
  return connectionCommands.has(name) || (streamReads.has(name) && isBlocking(command))
    ? replyError(`${prefix}Command is not available: '${name}'`)
    : undefined;
}

// The connection is shared: no commands that block it or change its state.
const connectionCommands = new Set(
  `ASKING AUTH BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT DEBUG DISCARD EXEC
  FAILOVER HELLO MIGRATE MONITOR MULTI PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT READONLY READWRITE REPLCONF
  REPLICAOF RESET SELECT SHUTDOWN SLAVEOF SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SWAPDB SYNC UNSUBSCRIBE
  UNWATCH WAIT WAITAOF WATCH`.split(/\s+/),
);
const streamReads = new Set(["XREAD", "XREADGROUP"]);

function isBlocking(command: string[]): boolean {
  const words = command.map((word) => word.toUpperCase());
  return words.slice(0, words.indexOf("STREAMS")).includes("BLOCK");
}

function asError(error: unknown) {
  if (error instanceof Error && error.name === "ReplyError") return { error: error.message };
  throw error;
}

function replyError(message: string): Error {
  const error = new Error(message);
  error.name = "ReplyError";
  return error;
}

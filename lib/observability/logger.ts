import { pino } from "pino";
import { type Env, env, type LogLevel } from "../env.js";
import { oncePer } from "../once-per.js";
import { redactData, redactText } from "./redact.js";

/** What one line tells besides its message: the fields of the operations guide, in its order. */
export interface LogFields {
  /** What happened, snake_case: `http_request`. */
  evt: string;
  /** The part of the system: `http`, `auth`, `db`, … */
  cat: string;
  correlationId?: string | undefined;
  req?: { method: string; path: string; ip: string | undefined } | undefined;
  /** Only the fields that redact.ts allows are written. */
  data?: Record<string, unknown> | undefined;
}

/** The levels that pino does not have. */
const ownLevels = { notice: 35, security: 70 } as const;

const lineBytesMax = 16 * 1024;
const slot = Symbol.for("linguamate.log");
const shared = globalThis as { [slot]?: { write(line: string): void } };

/** Send log lines elsewhere than stdout: readable in development, to an array in tests. */
export function installLogStream(stream: { write(line: string): void }): void {
  shared[slot] = stream;
}

/**
 * Write one line. SECURITY is written whatever `LOG_LEVEL` says. Synchronous: a function may be frozen
 * as soon as it has answered.
 */
export function log(level: LogLevel, fields: LogFields, message: string): void {
  const logger = loggerFor(env());
  const method = level.toLowerCase() as Lowercase<LogLevel>;
  if (!logger.isLevelEnabled(method)) return;
  const { evt, cat, correlationId, req, data } = fields;
  logger[method](
    {
      evt,
      cat,
      ...(correlationId === undefined ? {} : { corr: { correlationId } }),
      ...(req ? { req: { ...req, path: redactText(req.path) } } : {}),
      ...(data ? { data: redactData(data) } : {}),
    },
    redactText(message),
  );
}

const loggerFor = oncePer((environment: Env) => {
  const stdout = pino.destination({ fd: 1, sync: true });
  return pino(
    {
      level: environment.log.level.toLowerCase(),
      customLevels: ownLevels,
      base: { env: environment.name },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
    },
    { write: (line: string) => (shared[slot] ?? stdout).write(bounded(line)) },
  );
});

function bounded(line: string): string {
  if (Buffer.byteLength(line) <= lineBytesMax) return line;
  const { data, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const cut = { ...rest, data: { code: "line_too_long" } };
  const kept = JSON.stringify(cut);
  return `${Buffer.byteLength(kept) <= lineBytesMax ? kept : JSON.stringify({ ...cut, req: undefined, msg: "" })}\n`;
}

/** The loggable facts of an error: its name, message, stack and causes, redacted like everything else. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: String(error) };
  const causes: string[] = [];
  for (
    let cause = causeOf(error);
    cause instanceof Error && causes.length < 5;
    cause = causeOf(cause)
  ) {
    causes.push(`${cause.name}: ${withoutValues(cause)}`);
  }
  return {
    error: `${error.name}: ${withoutValues(error)}`,
    stack: framesOf(error),
    ...(causes.length > 0 ? { causes: causes.join(" <- ") } : {}),
  };
}

/** Neon's driver keeps the failure of its transport under a name of its own. */
function causeOf(error: Error): unknown {
  return error.cause ?? (error as { sourceError?: unknown }).sourceError;
}

/**
 * People's data is in the messages of failed queries: drizzle puts the statement and its parameters
 * there, and Postgres the value that it refused.
 */
function withoutValues({ name, message }: Error): string {
  if (message.startsWith("Failed query:")) return "a query failed";
  return name === "NeonDbError" ? message.replace(/: ".*"$/s, "") : message;
}

/** The stack without the message, which begins it and may have many lines. */
function framesOf({ stack }: Error): string | undefined {
  return stack
    ?.split("\n")
    .filter((line) => /^\s+at /.test(line))
    .join("\n");
}

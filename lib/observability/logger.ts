import { pino } from "pino";
import { type Env, env } from "../env.js";
import type { LogLevel } from "../env-variables.js";
import { memoizeByObject } from "../memoize-by-object.js";
import { redactData, redactText } from "./redact.js";
import { type SafeError, safeErrors } from "./safe-error.js";

export interface LogFields {
  evt: string;
  cat: string;
  correlationId?: string | undefined;
  req?: { method: string; path: string; ip: string | undefined } | undefined;
  /** Only the fields allowed in redact.ts are written. */
  data?: Record<string, unknown> | undefined;
}

const ownLevels = { notice: 35, security: 70 } as const;

/** The number of pino's level ERROR. */
const urgentLevel = 50;
const lineBytesMax = 16 * 1024;

/** `isUrgent` from ERROR on: the process may end right after this line. */
export interface LogStream {
  write(line: string, isUrgent: boolean): void;
}

const slot = Symbol.for("linguamate.log");
const shared = globalThis as { [slot]?: LogStream };

/** Replaces stdout, to which each line is written at once: a function can be frozen right after its reply. */
export function installLogStream(stream: LogStream): void {
  shared[slot] = stream;
}

/** SECURITY is written at any `LOG_LEVEL`. */
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

const loggerFor = memoizeByObject((environment: Env) => {
  const stdout: LogStream = pino.destination({ fd: 1, sync: true });
  const stream = {
    // pino then sets lastLevel.
    [Symbol.for("pino.metadata")]: true,
    lastLevel: 0,
    write(line: string) {
      (shared[slot] ?? stdout).write(bounded(line), this.lastLevel >= urgentLevel);
    },
  };
  return pino(
    {
      level: environment.log.level.toLowerCase(),
      customLevels: ownLevels,
      base: { env: environment.name },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
    },
    stream,
  );
});

function bounded(line: string): string {
  if (Buffer.byteLength(line) <= lineBytesMax) return line;
  const { data, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const cut = { ...rest, data: { code: "line_too_long" } };
  const kept = JSON.stringify(cut);
  return `${Buffer.byteLength(kept) <= lineBytesMax ? kept : JSON.stringify({ ...cut, req: undefined, msg: "" })}\n`;
}

/** Name, message, stack and causes; `log` redacts them. */
export function errorFields(error: unknown): Record<string, unknown> {
  const [outer, ...causes] = safeErrors(error);
  if (!outer || !(error instanceof Error)) return { error: String(error) };
  return {
    error: textOf(outer),
    stack: outer.frames,
    ...(causes.length > 0 ? { causes: causes.map(textOf).join(" <- ") } : {}),
  };
}

function textOf({ name, message }: SafeError): string {
  return `${name}: ${message}`;
}

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

const lineBytesMax = 16 * 1024;
const slot = Symbol.for("linguamate.log");
const shared = globalThis as { [slot]?: { write(line: string): void } };

/** Replace stdout, for readable logs in development and for tests. */
export function installLogStream(stream: { write(line: string): void }): void {
  shared[slot] = stream;
}

/** SECURITY is written at any `LOG_LEVEL`. Synchronous: a function can be frozen right after its reply. */
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

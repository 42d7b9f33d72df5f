import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import * as z from "zod";

export const logLevels = [
  "TRACE",
  "DEBUG",
  "INFO",
  "NOTICE",
  "WARN",
  "ERROR",
  "FATAL",
  "SECURITY",
] as const;
export type LogLevel = (typeof logLevels)[number];

/** A setting that cannot work. The message names the variable and never shows its value. */
export class EnvironmentError extends Error {
  override readonly name = "EnvironmentError";
}

const list = z
  .string()
  .default("")
  .transform((text) =>
    text
      .split(",")
      .map((entry) => entry.trim())
      .filter(Boolean),
  );
const secret = z
  .string()
  .transform((text) => text.replace(/\s+/g, ""))
  .optional()
  .transform((text) => text || undefined);
const positive = (fallback: number) => z.coerce.number().int().positive().default(fallback);
const share = (fallback: number) => z.coerce.number().min(0).max(1).default(fallback);
const text = z.string().trim().min(1).optional();
const httpUrl = z.url({ protocol: /^https?$/ });
const origin = z.string().refine(isOrigin, "one exact origin: scheme, host and port alone");
const host = z
  .string()
  .toLowerCase()
  .regex(/^[\w-]+(\.[\w-]+)*$/, "a host name alone");

/** Every variable that the code knows; `.env.example` explains each, and a test compares the two. */
export const variables = z.object({
  NODE_ENV: z.enum(["development", "test", "production"]).default("development"),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  LOG_LEVEL: z
    .string()
    .default("info")
    .transform((value) => value.toUpperCase())
    .pipe(z.enum([...logLevels, "SILENT"])),
  LOG_RETENTION_DAYS_SECURITY: positive(90),
  LOG_RETENTION_DAYS_ERROR: positive(90),
  LOG_RETENTION_DAYS_WARN: positive(90),
  LOG_RETENTION_DAYS_NOTICE: positive(30),
  LOG_RETENTION_DAYS_INFO: positive(30),
  LOG_RETENTION_DAYS_DEBUG: positive(7),
  LOG_RETENTION_DAYS_TRACE: positive(1),
  LOG_SIGNING_KEY: secret,
  EXPO_PUBLIC_LOG_SIGNING_KEY: secret,
  JWT_SECRET: secret,
  ACCESS_TOKEN_TTL_SECONDS: positive(900),
  CORS_ORIGIN: list.pipe(z.array(origin)),
  ALLOWED_HOSTS: list.pipe(z.array(host)),
  TRUSTED_PROXIES: list.pipe(z.array(z.string().refine(isCidr, "a CIDR or an address"))),
  MIN_APP_VERSION: z
    .string()
    .regex(/^\d+(\.\d+){0,2}$/)
    .optional(),
  RATE_LIMIT_WINDOW_MS: positive(60_000),
  RATE_LIMIT_MAX_REQUESTS: positive(100),
  RATE_LIMIT_TRUSTED_IPS: list.pipe(z.array(z.string().refine(isCidr, "a CIDR or an address"))),
  TOOLKIT_API_KEY: secret,
  EXPO_PUBLIC_TOOLKIT_URL: httpUrl.default("https://toolkit.rork.com"),
  SENTRY_DSN: httpUrl.optional(),
  SENTRY_TRACES_SAMPLE_RATE: share(0.2),
  SENTRY_PROFILES_SAMPLE_RATE: share(0.1),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  UPSTASH_REDIS_REST_URL: httpUrl.optional(),
  UPSTASH_REDIS_REST_TOKEN: secret,
  EMBEDDED_STORES: z.enum(["true", "false"]).default("false"),
  VERCEL: text,
  VERCEL_ENV: text,
  VERCEL_URL: text,
  VERCEL_BRANCH_URL: text,
  VERCEL_PROJECT_PRODUCTION_URL: text,
  VERCEL_GIT_COMMIT_SHA: text,
  GIT_COMMIT_SHA: text,
});

export type Env = Readonly<ReturnType<typeof readEnv>>;

/**
 * Read the whole environment once, or throw an `EnvironmentError` that names what is wrong.
 * Empty values count as absent. `warnings` are for the log at start-up.
 */
export function readEnv(source: Record<string, string | undefined>) {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value?.trim()));
  const parsed = variables.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${String(issue.path[0])}: ${issue.message}`,
    );
    throw new EnvironmentError(`The environment is not valid. ${problems.join("; ")}`);
  }
  const value = parsed.data;
  const production = value.NODE_ENV === "production";
  const warnings: string[] = [];

  if (!value.JWT_SECRET) throw new EnvironmentError("JWT_SECRET is required");
  const weakness = secretWeakness(value.JWT_SECRET);
  if (weakness && production) throw new EnvironmentError(`JWT_SECRET ${weakness}`);
  if (weakness) warnings.push(`JWT_SECRET ${weakness}; production refuses it.`);
  if (value.LOG_SIGNING_KEY !== value.EXPO_PUBLIC_LOG_SIGNING_KEY) {
    warnings.push(
      "EXPO_PUBLIC_LOG_SIGNING_KEY differs from LOG_SIGNING_KEY: the app's log batches will be refused.",
    );
  }
  const stated = value.LOG_LEVEL === "SILENT" ? "SECURITY" : value.LOG_LEVEL;
  const tooVerbose = production && (stated === "TRACE" || stated === "DEBUG");
  if (tooVerbose) warnings.push(`LOG_LEVEL ${stated} is raised to INFO in production.`);

  return {
    name: value.NODE_ENV,
    production,
    port: value.PORT,
    release: { sha: value.VERCEL_GIT_COMMIT_SHA ?? value.GIT_COMMIT_SHA ?? "development" },
    log: { level: tooVerbose ? ("INFO" as const) : stated },
    jwt: {
      secret: value.JWT_SECRET,
      accessTtlSeconds: value.ACCESS_TOKEN_TTL_SECONDS,
      /** Tokens of one deployment environment mean nothing in another. */
      environment: value.VERCEL_ENV ?? value.NODE_ENV,
    },
    http: {
      corsOrigins: value.CORS_ORIGIN,
      allowedHosts: value.ALLOWED_HOSTS,
      platformHosts: [
        value.VERCEL_URL,
        value.VERCEL_BRANCH_URL,
        value.VERCEL_PROJECT_PRODUCTION_URL,
      ].filter((host) => host !== undefined),
      trustedProxies: value.TRUSTED_PROXIES,
      minAppVersion: value.MIN_APP_VERSION,
      onVercel: value.VERCEL === "1",
    },
    rateLimit: {
      windowMs: value.RATE_LIMIT_WINDOW_MS,
      maxRequests: value.RATE_LIMIT_MAX_REQUESTS,
      trustedIps: value.RATE_LIMIT_TRUSTED_IPS,
    },
    toolkit: { url: value.EXPO_PUBLIC_TOOLKIT_URL, apiKey: value.TOOLKIT_API_KEY },
    stores: {
      databaseUrl: value.DATABASE_URL,
      redisUrl: value.REDIS_URL,
      upstash: upstash(value.UPSTASH_REDIS_REST_URL, value.UPSTASH_REDIS_REST_TOKEN),
      embedded: value.EMBEDDED_STORES === "true",
    },
    warnings,
  };
}

const slot = Symbol.for("linguamate.env");
const shared = globalThis as { [slot]?: Env };

/** The process's environment, read at first use and shared by every function in the process. */
export function env(): Env {
  shared[slot] ??= readEnv(process.env);
  return shared[slot];
}

function upstash(restUrl: string | undefined, token: string | undefined) {
  if (restUrl && token) return { url: restUrl, token };
  if (!restUrl && !token) return undefined;
  const missing = restUrl ? "UPSTASH_REDIS_REST_TOKEN" : "UPSTASH_REDIS_REST_URL";
  throw new EnvironmentError(`${missing} is required: the other half of the pair is set`);
}

function secretWeakness(value: string): string | undefined {
  if (Buffer.byteLength(value) < 32) return "is shorter than 32 bytes";
  if (/change.?me|your.?secret|example|placeholder|^<.*>$/i.test(value)) return "is an example";
  return undefined;
}

/** As browsers write it, for it is compared as text: lower-case, no default port, no path. */
function isOrigin(value: string): boolean {
  return /^https?:[^*]+$/.test(value) && URL.canParse(value) && new URL(value).origin === value;
}

/** Written in full: `10/8` would be read as 0.0.0.10/8. */
function isCidr(value: string): boolean {
  const [address = ""] = value.split("/");
  return isIP(address) !== 0 && (address === value || ipaddr.isValidCIDR(value));
}

import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import * as z from "zod";
import { isDatabaseUrl } from "./database-url.js";

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
const secrets = z
  .string()
  .default("")
  .transform((value) => value.replace(/\s+/g, "").split(",").filter(Boolean));
const positive = (fallback: number) => z.coerce.number().int().positive().default(fallback);
const share = (fallback: number) => z.coerce.number().min(0).max(1).default(fallback);
const text = z.string().trim().min(1).optional();
const httpUrl = z.url({ protocol: /^https?$/ });
const origin = z.string().refine(isOrigin, "must be one exact origin (scheme, host and port)");
const bearerRule = "must be 1 to 4096 letters, digits and - . _ ~ + / =";
const neonId = z
  .string()
  .trim()
  .regex(/^[a-z0-9-]{1,60}$/, "must be an ID as Neon shows it")
  .optional();
const backupKeyRule = "must be an age identity, AGE-SECRET-KEY-1…";
const host = z
  .string()
  .toLowerCase()
  .regex(/^[\w-]+(\.[\w-]+)*$/, "must be a host name");

/** `.env.example` explains each variable; a test compares the two. */
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
  JWT_SECRET_PREVIOUS: secrets,
  DATA_KEY: secret,
  DATA_KEY_PREVIOUS: secrets,
  ACCESS_TOKEN_TTL_SECONDS: positive(900),
  CORS_ORIGIN: list.pipe(z.array(origin)),
  ALLOWED_HOSTS: list.pipe(z.array(host)),
  TRUSTED_PROXIES: list.pipe(
    z.array(z.string().refine(isCidr, "must be a CIDR block or an IP address")),
  ),
  MIN_APP_VERSION: z
    .string()
    .regex(/^\d+(\.\d+){0,2}$/)
    .optional(),
  RATE_LIMIT_WINDOW_MS: positive(60_000),
  RATE_LIMIT_MAX_REQUESTS: positive(100),
  RATE_LIMIT_TRUSTED_IPS: list.pipe(
    z.array(z.string().refine(isCidr, "must be a CIDR block or an IP address")),
  ),
  RESEND_API_KEY: secret,
  RESEND_API_URL: httpUrl.default("https://api.resend.com"),
  MAIL_FROM: z.string().default("Linguamate <no-reply@linguamate.com>"),
  MAIL_WEBHOOK_SECRET: secret.refine(
    isWebhookSecret,
    "must be whsec_ followed by base64, as the provider shows it",
  ),
  CRON_SECRET: secret.refine(isBearer, bearerRule),
  METRICS_TOKEN: secret.refine(isBearer, bearerRule),
  OPS_TOKEN: secret.refine(isBearer, bearerRule),
  ACCESS_LOG_RETENTION_DAYS: positive(365),
  AUDIT_RETENTION_DAYS: positive(90),
  BACKUP_PITR_DAYS: positive(7),
  NEON_API_KEY: secret,
  NEON_API_URL: httpUrl.default("https://console.neon.tech/api/v2"),
  NEON_PROJECT_ID: neonId,
  NEON_BRANCH_ID: neonId,
  TERMS_VERSION: z.string().trim().min(1).max(32).default("1"),
  TELEMETRY_STREAM_BYTES_MAX: positive(32 * 1024 * 1024),
  PAGERDUTY_ROUTING_KEY: secret,
  PAGERDUTY_URL: httpUrl.default("https://events.pagerduty.com/v2/enqueue"),
  ALERT_WEBHOOK_URL: httpUrl.optional(),
  ALERT_INVESTIGATE_WEBHOOK_URL: httpUrl.optional(),
  HEARTBEAT_URL: httpUrl.optional(),
  RUNBOOK_BASE_URL: httpUrl.default(
    "https://github.com/linguamate/backend/blob/main/docs/runbooks",
  ),
  TOOLKIT_DAILY_CALLS: positive(100_000),
  TOOLKIT_API_KEY: secret,
  EXPO_PUBLIC_TOOLKIT_URL: httpUrl.default("https://toolkit.rork.com"),
  SENTRY_DSN: httpUrl
    .regex(
      /^https?:\/\/\w+@[\w.:-]+\/(.+\/)?\d+$/,
      "must be https://KEY@HOST/PROJECT, as Sentry shows it",
    )
    .optional(),
  SENTRY_TRACES_SAMPLE_RATE: share(0.2),
  SENTRY_PROFILES_SAMPLE_RATE: share(0.1),
  DATABASE_URL: z.string().trim().refine(isDatabaseUrl, "must be a postgresql:// URL").optional(),
  REDIS_URL: z
    .url({ protocol: /^rediss?$/ })
    .refine(isDecodable, "must write % as %25")
    .refine(hasDatabaseNumber, "must have no path except a database number, such as /0")
    .refine(hasKnownParameters, "must have no parameters except family=4 or family=6")
    .optional(),
  UPSTASH_REDIS_REST_URL: httpUrl.optional(),
  UPSTASH_REDIS_REST_TOKEN: secret,
  BACKUP_URL: z
    .string()
    .trim()
    .refine(isBackupUrl, "must be file:///FOLDER or s3://BUCKET/PREFIX")
    .optional(),
  BACKUP_KEY: secret.refine(isBackupKey, backupKeyRule),
  BACKUP_KEY_PREVIOUS: secrets.refine((keys) => keys.every(isBackupKey), backupKeyRule),
  BACKUP_WAL_DIR: text,
  AWS_ENDPOINT_URL_S3: httpUrl.optional(),
  AWS_REGION: text,
  AWS_ACCESS_KEY_ID: text,
  AWS_SECRET_ACCESS_KEY: secret,
  EMBEDDED_STORES: z.enum(["true", "false"]).default("false"),
  VERCEL: text,
  VERCEL_ENV: text,
  VERCEL_URL: text,
  VERCEL_BRANCH_URL: text,
  VERCEL_PROJECT_PRODUCTION_URL: text,
  VERCEL_GIT_COMMIT_SHA: text,
  VERCEL_DEPLOYMENT_ID: text,
  VERCEL_PROJECT_ID: text,
  VERCEL_TEAM_ID: text,
  VERCEL_TOKEN: secret.refine(isBearer, bearerRule),
  VERCEL_API_URL: httpUrl.default("https://api.vercel.com"),
  VERCEL_WEBHOOK_SECRET: secret,
  RAILWAY_ENVIRONMENT_NAME: text,
  RAILWAY_GIT_COMMIT_SHA: text,
  GIT_COMMIT_SHA: text,
});

/** Set by the platform for each deployment: they differ between two deployments with the same settings. */
export const platformVariables: readonly (keyof typeof variables.shape)[] = [
  "VERCEL",
  "VERCEL_ENV",
  "VERCEL_URL",
  "VERCEL_BRANCH_URL",
  "VERCEL_PROJECT_PRODUCTION_URL",
  "VERCEL_GIT_COMMIT_SHA",
  "VERCEL_DEPLOYMENT_ID",
  "VERCEL_PROJECT_ID",
  "RAILWAY_ENVIRONMENT_NAME",
  "RAILWAY_GIT_COMMIT_SHA",
  "GIT_COMMIT_SHA",
  "PORT",
];

function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url);
    return true;
  } catch {
    return false;
  }
}

/** Redis clients read a path that is not a number as database 0. */
function hasDatabaseNumber(url: string): boolean {
  return !URL.canParse(url) || /^(\/\d*)?$/.test(new URL(url).pathname);
}

/** Any other parameter would be an option of the Redis client, or ignored. */
function hasKnownParameters(url: string): boolean {
  return !URL.canParse(url) || /^(\?family=[046])?$/.test(new URL(url).search);
}

/** Compared as text, so exactly as browsers send it: lower case, no default port, no path. */
function isOrigin(value: string): boolean {
  return /^https?:[^*]+$/.test(value) && URL.canParse(value) && new URL(value).origin === value;
}

/** The b64token of RFC 6750. */
function isBearer(value: string | undefined): boolean {
  return value === undefined || /^[\w.~+/=-]{1,4096}$/.test(value);
}

function isWebhookSecret(value: string | undefined): boolean {
  const form = /^whsec_(?:[A-Za-z\d+/]{4})+(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;
  return value === undefined || form.test(value);
}

function isBackupUrl(value: string): boolean {
  return /^(file:\/\/\/.|s3:\/\/[a-z0-9])/.test(value) && URL.canParse(value);
}

function isBackupKey(value: string | undefined): boolean {
  return value === undefined || /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/.test(value);
}

/** Only complete addresses: `10/8` would mean 0.0.0.10/8. */
function isCidr(value: string): boolean {
  const [address = ""] = value.split("/");
  return isIP(address) !== 0 && (address === value || ipaddr.isValidCIDR(value));
}

import type * as z from "zod";
import { platformVariables, variables } from "./env-variables.js";
import { builtRelease, type Release } from "./release.js";

/** The message names the variable and never contains its value. */
export class EnvironmentError extends Error {
  override readonly name = "EnvironmentError";
}

type Variables = z.output<typeof variables>;

export type Env = Readonly<ReturnType<typeof readEnv>>;

/** Empty values count as unset. Throws `EnvironmentError`; `warnings` are logged at start-up. */
export function readEnv(source: Record<string, string | undefined>) {
  const nonEmpty = Object.fromEntries(Object.entries(source).filter(([, value]) => value?.trim()));
  // Compiling the schema for one use takes 3 ms.
  const parsed = variables.safeParse(nonEmpty, { jitless: true });
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${String(issue.path[0])}: ${issue.message}`,
    );
    const message = `Invalid environment: ${problems.join("; ")}`;
    throw new EnvironmentError(
      nonEmpty.JWT_SECRET ? message : `JWT_SECRET is required; ${message}`,
    );
  }
  const value = parsed.data;
  const production = value.NODE_ENV === "production";
  const warnings: string[] = [];

  if (!value.JWT_SECRET) throw new EnvironmentError("JWT_SECRET is required");
  const weakness = secretWeakness(value.JWT_SECRET);
  if (weakness && production) throw new EnvironmentError(`JWT_SECRET ${weakness}`);
  if (weakness) warnings.push(`JWT_SECRET ${weakness}: not allowed in production.`);
  for (const name of ["DATA_KEY", "OPS_TOKEN", "METRICS_TOKEN", "CRON_SECRET"] as const) {
    const secret = value[name];
    // The length that Vercel recommends for CRON_SECRET.
    const weak = secret && secretWeakness(secret, name === "CRON_SECRET" ? 16 : 32);
    if (weak && production) throw new EnvironmentError(`${name} ${weak}`);
  }
  for (const name of ["JWT_SECRET_PREVIOUS", "DATA_KEY_PREVIOUS"] as const) {
    // A secret that only verifies is as sensitive as one that signs.
    const [weak] = value[name]
      .map((one) => secretWeakness(one))
      .filter((found) => found !== undefined);
    if (weak && production) throw new EnvironmentError(`${name} contains a secret that ${weak}`);
    if (weak) warnings.push(`${name} contains a secret that ${weak}: not allowed in production.`);
  }
  if (!value.DATA_KEY && value.DATA_KEY_PREVIOUS.length > 0) {
    throw new EnvironmentError("DATA_KEY is required when DATA_KEY_PREVIOUS is set");
  }
  if (!value.DATA_KEY && production) {
    warnings.push(
      "DATA_KEY is not set: data encrypted at rest depends on JWT_SECRET and is lost when it changes.",
    );
  }
  if (!value.RESEND_API_KEY && production) {
    warnings.push("RESEND_API_KEY is not set: mail is queued but never sent.");
  }
  if (!value.CRON_SECRET && production) {
    warnings.push("CRON_SECRET is not set: cron routes reject every request.");
  }
  if (value.VERCEL_WEBHOOK_SECRET && !value.VERCEL_PROJECT_ID) {
    warnings.push("VERCEL_PROJECT_ID is not set: events of Vercel are ignored.");
  }
  if (value.LOG_SIGNING_KEY !== value.EXPO_PUBLIC_LOG_SIGNING_KEY) {
    warnings.push(
      "EXPO_PUBLIC_LOG_SIGNING_KEY differs from LOG_SIGNING_KEY: log batches from the app will be rejected.",
    );
  }
  const level = value.LOG_LEVEL === "SILENT" ? "SECURITY" : value.LOG_LEVEL;
  const tooVerbose = production && (level === "TRACE" || level === "DEBUG");
  if (tooVerbose) warnings.push(`LOG_LEVEL ${level} is raised to INFO in production.`);

  return {
    name: value.NODE_ENV,
    production,
    port: value.PORT,
    release: releaseFrom(
      value.VERCEL_GIT_COMMIT_SHA ?? value.GIT_COMMIT_SHA ?? value.RAILWAY_GIT_COMMIT_SHA,
    ),
    deployment: {
      platform: platformOf(value),
      /** Vercel's; undefined elsewhere. */
      id: value.VERCEL_DEPLOYMENT_ID,
      /** Always lead to this deployment, also when another one is live. */
      ownHosts: [value.VERCEL_URL, value.VERCEL_BRANCH_URL].filter((host) => host !== undefined),
      /** The values as set, to compare them with those of another deployment. Contains secrets. */
      settings: settingsFrom(nonEmpty),
    },
    vercel: {
      apiUrl: value.VERCEL_API_URL,
      token: value.VERCEL_TOKEN,
      projectId: value.VERCEL_PROJECT_ID,
      teamId: value.VERCEL_TEAM_ID,
      webhookSecret: value.VERCEL_WEBHOOK_SECRET,
    },
    log: { level: tooVerbose ? ("INFO" as const) : level },
    jwt: {
      secret: value.JWT_SECRET,
      /** Verify tokens only, never sign. */
      previousSecrets: value.JWT_SECRET_PREVIOUS,
      accessTtlSeconds: value.ACCESS_TOKEN_TTL_SECONDS,
      /** A token of one deployment environment is invalid in another. */
      environment: value.VERCEL_ENV ?? value.NODE_ENV,
    },
    /** The first encrypts and signs what must survive a change of JWT_SECRET; the others decrypt and verify. */
    dataKeys: [
      ...(value.DATA_KEY ? [value.DATA_KEY] : []),
      ...value.DATA_KEY_PREVIOUS,
      value.JWT_SECRET,
      ...value.JWT_SECRET_PREVIOUS,
    ],
    mail: {
      apiUrl: value.RESEND_API_URL,
      apiKey: value.RESEND_API_KEY,
      from: value.MAIL_FROM,
      webhookSecret: value.MAIL_WEBHOOK_SECRET,
    },
    cron: { secret: value.CRON_SECRET, heartbeatUrl: value.HEARTBEAT_URL },
    metrics: { token: value.METRICS_TOKEN },
    ops: { breakGlassToken: value.OPS_TOKEN },
    telemetry: {
      streamBytesMax: value.TELEMETRY_STREAM_BYTES_MAX,
      accessLogRetentionDays: value.ACCESS_LOG_RETENTION_DAYS,
    },
    terms: { version: value.TERMS_VERSION },
    audit: { retentionDays: value.AUDIT_RETENTION_DAYS },
    backups: {
      pitrDays: value.BACKUP_PITR_DAYS,
      /** Undefined without an API key. */
      neon: neonFrom(value),
      /** A backup process checks and drills them: the server has neither the store nor the key. */
      hasArchives: value.BACKUP_URL !== undefined,
    },
    alerts: {
      pagerDutyRoutingKey: value.PAGERDUTY_ROUTING_KEY,
      pagerDutyUrl: value.PAGERDUTY_URL,
      webhookUrl: value.ALERT_WEBHOOK_URL,
      investigateWebhookUrl: value.ALERT_INVESTIGATE_WEBHOOK_URL,
      runbookBaseUrl: value.RUNBOOK_BASE_URL,
    },
    sentry: {
      dsn: value.SENTRY_DSN,
      tracesSampleRate: value.SENTRY_TRACES_SAMPLE_RATE,
      profilesSampleRate: value.SENTRY_PROFILES_SAMPLE_RATE,
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
    toolkit: {
      url: value.EXPO_PUBLIC_TOOLKIT_URL,
      apiKey: value.TOOLKIT_API_KEY,
      dailyCallsMax: value.TOOLKIT_DAILY_CALLS,
    },
    stores: {
      databaseUrl: value.DATABASE_URL,
      redisUrl: value.REDIS_URL,
      upstash: upstash(value.UPSTASH_REDIS_REST_URL, value.UPSTASH_REDIS_REST_TOKEN),
      embedded: value.EMBEDDED_STORES === "true",
    },
    warnings,
  };
}

export type Platform = "vercel" | "railway" | "self-hosted";

function platformOf(
  value: Pick<z.infer<typeof variables>, "VERCEL" | "RAILWAY_ENVIRONMENT_NAME">,
): Platform {
  if (value.VERCEL === "1") return "vercel";
  return value.RAILWAY_ENVIRONMENT_NAME ? "railway" : "self-hosted";
}

function settingsFrom(source: Record<string, string | undefined>): Record<string, string> {
  const names = Object.keys(variables.shape).filter(
    (name) => !(platformVariables as readonly string[]).includes(name),
  );
  return Object.fromEntries(
    names.flatMap((name) => (source[name] === undefined ? [] : [[name, source[name]]])),
  );
}

const slot = Symbol.for("linguamate.env");
const shared = globalThis as { [slot]?: Env };

/** Reads `process.env` at the first call in the process. Throws `EnvironmentError`. */
export function env(): Env {
  shared[slot] ??= readEnv(process.env);
  return shared[slot];
}

function upstash(restUrl: string | undefined, token: string | undefined) {
  if (restUrl && token) return { url: restUrl, token };
  if (!restUrl && !token) return undefined;
  const names = ["UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"] as const;
  const [present, missing] = restUrl ? names : names.toReversed();
  throw new EnvironmentError(`${missing} is required when ${present} is set`);
}

function neonFrom(value: Variables) {
  const { NEON_API_KEY: apiKey, NEON_API_URL: apiUrl } = value;
  const { NEON_PROJECT_ID: projectId, NEON_BRANCH_ID: branchId } = value;
  if (!apiKey) return undefined;
  if (projectId && branchId) return { apiKey, apiUrl, projectId, branchId };
  const missing = projectId ? "NEON_BRANCH_ID" : "NEON_PROJECT_ID";
  throw new EnvironmentError(`${missing} is required when NEON_API_KEY is set`);
}

/** A variable does not say when the commit was made, unless it names the commit that was built. */
function releaseFrom(sha: string | undefined): Release {
  const built = builtRelease();
  return sha === undefined || sha === built.sha ? built : { sha, committedAt: null };
}

function secretWeakness(value: string, bytesMin = 32): string | undefined {
  if (Buffer.byteLength(value) < bytesMin) return `is shorter than ${bytesMin} bytes`;
  if (/change.?me|your.?secret|example|placeholder|^<.*>$/i.test(value))
    return "is an example value";
  return undefined;
}

import { describe, expect, it } from "vitest";
import { EnvironmentError, readEnv } from "../../lib/env.js";
import { logLevels } from "../../lib/env-variables.js";

const strong = "b7Q2mV9xK4tR8wZ1cN6yL3pF5sD0hJgA";
const production = {
  NODE_ENV: "production",
  JWT_SECRET: strong,
  DATA_KEY: "k4Xr9pW2vB7nQ5tM8zC1yL6sF3dH0jGa",
  RESEND_API_KEY: "re_key",
  CRON_SECRET: "the-clock-s-own-secret",
};

const read = (given: Record<string, string | undefined> = {}) =>
  readEnv({ JWT_SECRET: strong, ...given });

/** The error message for these variables. */
function refusal(given: Record<string, string | undefined>): string {
  try {
    readEnv({ JWT_SECRET: strong, ...given });
  } catch (error) {
    expect(error).toBeInstanceOf(EnvironmentError);
    return (error as EnvironmentError).message;
  }
  return "accepted";
}

describe("the environment", () => {
  it("needs only the five lines of a local setup", () => {
    const env = readEnv({
      NODE_ENV: "development",
      PORT: "8080",
      LOG_LEVEL: "debug",
      JWT_SECRET: "local-dev-secret-change-me-in-prod",
      CORS_ORIGIN: "http://localhost:8081,http://localhost:19006",
    });
    expect(env).toMatchObject({
      name: "development",
      production: false,
      port: 8080,
      log: { level: "DEBUG" },
      http: { corsOrigins: ["http://localhost:8081", "http://localhost:19006"] },
      stores: { embedded: false },
    });
    expect(env.warnings).toEqual(["JWT_SECRET is an example value: not allowed in production."]);
  });

  it("has a working default for everything but the secret", () => {
    expect(read()).toEqual({
      name: "development",
      production: false,
      port: 8080,
      release: { sha: "development", committedAt: null },
      log: { level: "INFO" },
      jwt: {
        secret: strong,
        previousSecrets: [],
        accessTtlSeconds: 900,
        environment: "development",
      },
      dataKeys: [strong],
      mail: {
        apiUrl: "https://api.resend.com",
        apiKey: undefined,
        from: "Linguamate <no-reply@linguamate.com>",
        webhookSecret: undefined,
      },
      cron: { secret: undefined, heartbeatUrl: undefined },
      metrics: { token: undefined },
      ops: { breakGlassToken: undefined },
      telemetry: { streamBytesMax: 32 * 1024 * 1024, accessLogRetentionDays: 365 },
      audit: { retentionDays: 90 },
      backups: { pitrDays: 7, neon: undefined, hasArchives: false },
      alerts: {
        pagerDutyRoutingKey: undefined,
        pagerDutyUrl: "https://events.pagerduty.com/v2/enqueue",
        webhookUrl: undefined,
        investigateWebhookUrl: undefined,
        runbookBaseUrl: "https://github.com/linguamate/backend/blob/main/docs/runbooks",
      },
      sentry: { dsn: undefined, tracesSampleRate: 0.2, profilesSampleRate: 0.1 },
      deployment: {
        id: undefined,
        ownHosts: [],
        platform: "self-hosted",
        settings: { JWT_SECRET: expect.any(String) },
      },
      vercel: {
        apiUrl: "https://api.vercel.com",
        projectId: undefined,
        teamId: undefined,
        token: undefined,
        webhookSecret: undefined,
      },
      http: {
        corsOrigins: [],
        allowedHosts: [],
        platformHosts: [],
        trustedProxies: [],
        minAppVersion: undefined,
        onVercel: false,
      },
      rateLimit: { windowMs: 60_000, maxRequests: 100, trustedIps: [] },
      terms: { version: "1" },
      toolkit: { url: "https://toolkit.rork.com", apiKey: undefined, dailyCallsMax: 100_000 },
      stores: { databaseUrl: undefined, redisUrl: undefined, upstash: undefined, embedded: false },
      warnings: [],
    });
  });

  it("treats an empty value as absent", () => {
    const names = ["PORT", "LOG_LEVEL", "DATABASE_URL", "SENTRY_DSN", "MIN_APP_VERSION", "VERCEL"];
    expect(read(Object.fromEntries(names.map((name) => [name, " "])))).toEqual(read());
  });

  it.each([
    ["NODE_ENV", "staging"],
    ["PORT", "eighty"],
    ["PORT", "65536"],
    ["PORT", "80.5"],
    ["LOG_LEVEL", "loud"],
    ["LOG_RETENTION_DAYS_TRACE", "-7"],
    ["ACCESS_TOKEN_TTL_SECONDS", "-1"],
    ["RATE_LIMIT_WINDOW_MS", "a minute"],
    ["RATE_LIMIT_MAX_REQUESTS", "1.5"],
    ["SENTRY_TRACES_SAMPLE_RATE", "20"],
    ["SENTRY_PROFILES_SAMPLE_RATE", "-0.1"],
    ["SENTRY_DSN", "not-a-url"],
    ["CORS_ORIGIN", "*"],
    ["CORS_ORIGIN", "null"],
    ["CORS_ORIGIN", "app.example.com"],
    ["CORS_ORIGIN", "https://app.example.com/"],
    ["CORS_ORIGIN", "https://*.example.com"],
    ["CORS_ORIGIN", "https://App.example.com"],
    ["CORS_ORIGIN", "https://app.example.com:443"],
    ["ALLOWED_HOSTS", "https://example.com"],
    ["ALLOWED_HOSTS", "example.com:8080"],
    ["ALLOWED_HOSTS", "*.example.com"],
    ["ALLOWED_HOSTS", ".example.com"],
    ["TRUSTED_PROXIES", "10.0.0.0/33"],
    ["TRUSTED_PROXIES", "loadbalancer"],
    ["TRUSTED_PROXIES", "10/8"],
    ["RATE_LIMIT_TRUSTED_IPS", "10.1"],
    ["RATE_LIMIT_TRUSTED_IPS", "10.0.0.1,office"],
    ["MIN_APP_VERSION", "latest"],
    ["MIN_APP_VERSION", "1.2.3.4"],
    ["DATABASE_URL", "mysql://user:hunter2@host/db"],
    ["REDIS_URL", "https://user:hunter2@host"],
    ["REDIS_URL", "redis://user:hunter2@host/abc"],
    ["REDIS_URL", "redis://user:hunter2@host/0/1"],
    ["REDIS_URL", "redis://user:hunter2%zz@host"],
    ["REDIS_URL", "rediss://user:hunter2@host/-1"],
    ["REDIS_URL", "redis://user:hunter2@host?sentinels=a,b"],
    ["REDIS_URL", "redis://user:hunter2@host/0?db=3"],
    ["REDIS_URL", "redis://user:hunter2@host/0?family=5"],
    ["REDIS_URL", "redis://user:hunter2@host/0?family=6&scripts=x"],
    ["EXPO_PUBLIC_TOOLKIT_URL", "ftp://toolkit.example"],
    ["EXPO_PUBLIC_TOOLKIT_URL", "javascript:alert(1)"],
    ["UPSTASH_REDIS_REST_URL", "redis://cache.example"],
    ["NEON_PROJECT_ID", "../projects"],
    ["NEON_API_URL", "console.neon.tech"],
    ["BACKUP_PITR_DAYS", "a week"],
    ["EMBEDDED_STORES", "yes"],
    ["CRON_SECRET", "sixteen!letters$"],
    ["CRON_SECRET", "c".repeat(4097)],
    ["MAIL_WEBHOOK_SECRET", "whsec_="],
    ["MAIL_WEBHOOK_SECRET", "whsec_$$$"],
    ["MAIL_WEBHOOK_SECRET", "whsec_MTIzNA"],
    ["MAIL_WEBHOOK_SECRET", "MTIzNDU2Nzg5MDEyMzQ1Ng=="],
  ])("names %s when it is invalid (%s), without showing the value", (name, value) => {
    const message = refusal({ [name]: value });
    expect(message).toContain(`${name}: `);
    expect(message).not.toContain(value);
    expect(message).not.toContain("hunter2");
  });

  it("accepts the IP version as a parameter of REDIS_URL", () => {
    const REDIS_URL = "redis://user:pass@host:6379/0?family=6";
    expect(read({ REDIS_URL }).stores.redisUrl).toBe(REDIS_URL);
  });

  it.each(["JWT_SECRET_PREVIOUS", "DATA_KEY_PREVIOUS"])(
    "refuses a weak %s in production and warns elsewhere",
    (name) => {
      const given = { DATA_KEY: strong, [name]: `${strong},short` };
      const message = refusal({ ...production, ...given });
      expect(message).toBe(`${name} contains a secret that is shorter than 32 bytes`);
      const [warning] = read(given).warnings;
      expect(warning).toContain(`${name} contains a secret that is shorter than 32 bytes`);
    },
  );

  it.each([
    ["OPS_TOKEN", "ops", "is shorter than 32 bytes"],
    ["OPS_TOKEN", "your-secret-your-secret-your-secret", "is an example value"],
    ["METRICS_TOKEN", strong.slice(1), "is shorter than 32 bytes"],
    ["CRON_SECRET", "fifteen-letters", "is shorter than 16 bytes"],
    ["CRON_SECRET", "change-me-change-me", "is an example value"],
  ])("refuses a weak %s in production (%s)", (name, value, weakness) => {
    expect(refusal({ ...production, [name]: value })).toBe(`${name} ${weakness}`);
    expect(read({ [name]: value }).warnings).toEqual([]);
  });

  it("accepts tokens made by `openssl` and a cron secret of the recommended length", () => {
    const { ops, metrics, cron, warnings } = readEnv({
      ...production,
      OPS_TOKEN: strong,
      METRICS_TOKEN: strong,
      CRON_SECRET: "sixteen-letters-",
    });
    expect([ops.breakGlassToken, metrics.token, cron.secret]).toEqual([
      strong,
      strong,
      "sixteen-letters-",
    ]);
    expect(warnings).toEqual([]);
  });

  it("reports all errors at once", () => {
    const message = refusal({ PORT: "x", CORS_ORIGIN: "*" });
    expect(message).toContain("PORT: ");
    expect(message).toContain("CORS_ORIGIN: ");
  });

  it("accepts the variables of a production setup", () => {
    const env = readEnv({
      ...production,
      LOG_LEVEL: "info",
      LOG_SIGNING_KEY: "k",
      EXPO_PUBLIC_LOG_SIGNING_KEY: "k",
      CORS_ORIGIN: "https://app.linguamate.com, https://www.linguamate.com",
      ALLOWED_HOSTS: "linguamate.com,www.Linguamate.com",
      RATE_LIMIT_WINDOW_MS: "30000",
      RATE_LIMIT_MAX_REQUESTS: "50",
      RATE_LIMIT_TRUSTED_IPS: "10.0.0.1, 2001:db8::/32",
      TRUSTED_PROXIES: "192.168.0.0/16",
      MIN_APP_VERSION: "1.4",
      TOOLKIT_API_KEY: "key",
      EXPO_PUBLIC_TOOLKIT_URL: "https://toolkit.rork.com",
      DATABASE_URL: "postgresql://user:pass@host:5432/linguamate",
      REDIS_URL: "redis://user:pass@host:6379/0",
      UPSTASH_REDIS_REST_URL: "https://cache.example",
      UPSTASH_REDIS_REST_TOKEN: "token",
      GIT_COMMIT_SHA: "abc",
    });
    expect(env).toMatchObject({
      production: true,
      release: { sha: "abc" },
      http: {
        corsOrigins: ["https://app.linguamate.com", "https://www.linguamate.com"],
        allowedHosts: ["linguamate.com", "www.linguamate.com"],
        trustedProxies: ["192.168.0.0/16"],
        minAppVersion: "1.4",
      },
      rateLimit: {
        windowMs: 30_000,
        maxRequests: 50,
        trustedIps: ["10.0.0.1", "2001:db8::/32"],
      },
      stores: {
        databaseUrl: "postgresql://user:pass@host:5432/linguamate",
        redisUrl: "redis://user:pass@host:6379/0",
        upstash: { url: "https://cache.example", token: "token" },
      },
      warnings: [],
    });
  });

  it("prefers the platform's variables to its own", () => {
    const env = read({
      VERCEL: "1",
      VERCEL_ENV: "preview",
      VERCEL_URL: "a-1.vercel.app",
      VERCEL_BRANCH_URL: "a-git-b.vercel.app",
      VERCEL_PROJECT_PRODUCTION_URL: "a.vercel.app",
      VERCEL_GIT_COMMIT_SHA: "deployed",
      GIT_COMMIT_SHA: "local",
    });
    expect(env.http.onVercel).toBe(true);
    expect(env.http.platformHosts).toEqual([
      "a-1.vercel.app",
      "a-git-b.vercel.app",
      "a.vercel.app",
    ]);
    expect(env.release.sha).toBe("deployed");
    expect(env.jwt.environment).toBe("preview");
  });

  it.each(["UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"])(
    "refuses %s without the other variable of the pair, and names it",
    (name) => {
      const other = name.endsWith("URL") ? "UPSTASH_REDIS_REST_TOKEN" : "UPSTASH_REDIS_REST_URL";
      expect(refusal({ [name]: "https://cache.example" })).toContain(`${other} is required`);
    },
  );
});

describe("NEON_API_KEY", () => {
  const neon = { NEON_API_KEY: "key", NEON_PROJECT_ID: "project-1", NEON_BRANCH_ID: "br-main-1" };

  it("is used with its project and branch", () => {
    expect(read(neon).backups.neon).toEqual({
      apiKey: "key",
      apiUrl: "https://console.neon.tech/api/v2",
      projectId: "project-1",
      branchId: "br-main-1",
    });
    expect(read({ ...neon, NEON_API_KEY: "" }).backups.neon).toBeUndefined();
  });

  it.each(["NEON_PROJECT_ID", "NEON_BRANCH_ID"])("needs %s", (name) => {
    expect(refusal({ ...neon, [name]: "" })).toBe(`${name} is required when NEON_API_KEY is set`);
  });
});

describe("JWT_SECRET", () => {
  it.each([undefined, "", " \n "])("is required (%j)", (JWT_SECRET) => {
    expect(refusal({ JWT_SECRET })).toBe("JWT_SECRET is required");
  });

  it.each([
    [{ PORT: "x" }, ["PORT"]],
    [{ NODE_ENV: "staging", CORS_ORIGIN: "*" }, ["NODE_ENV", "CORS_ORIGIN"]],
  ])("is required, and is reported first when %j is also invalid", (others, names) => {
    const message = refusal({ JWT_SECRET: "", ...others });
    expect(message).toMatch(/^JWT_SECRET is required; /);
    for (const name of names) expect(message).toContain(`${name}: `);
  });

  it("is read without white space and line breaks", () => {
    expect(read({ JWT_SECRET: `${strong}\n ${strong}==\n` }).jwt.secret).toBe(
      `${strong}${strong}==`,
    );
  });

  it.each([
    ["your-secret-here", "is shorter than 32 bytes"],
    [strong.slice(1), "is shorter than 32 bytes"],
    [`${strong.slice(2)}\n\n\n`, "is shorter than 32 bytes"],
    ["local-dev-secret-change-me-in-prod", "is an example value"],
    ["<strong-random-secret-64-bytes-long>", "is an example value"],
    ["CHANGEME-changeme-changeme-changeme", "is an example value"],
  ])("%j is refused in production and warned about elsewhere", (JWT_SECRET, weakness) => {
    expect(refusal({ ...production, JWT_SECRET })).toBe(`JWT_SECRET ${weakness}`);
    for (const NODE_ENV of ["development", "test"]) {
      expect(read({ NODE_ENV, JWT_SECRET }).warnings).toEqual([
        `JWT_SECRET ${weakness}: not allowed in production.`,
      ]);
    }
  });

  it("is measured in bytes", () => {
    expect(read({ ...production, JWT_SECRET: "ä".repeat(16) }).warnings).toEqual([]);
  });
});

describe("DATA_KEY", () => {
  const [old, next] = ["an-old-data-key-of-32-bytes-or-more", "a-new-data-key-of-32-bytes-or-more"];

  it("is tried first, then the previous data keys, then the JWT secrets", () => {
    expect(read().dataKeys).toEqual([strong]);
    const given = { DATA_KEY: next, DATA_KEY_PREVIOUS: ` ${old},\n`, JWT_SECRET_PREVIOUS: "older" };
    expect(read(given).dataKeys).toEqual([next, old, strong, "older"]);
  });

  it("is required when DATA_KEY_PREVIOUS is set", () => {
    expect(refusal({ DATA_KEY_PREVIOUS: old })).toBe(
      "DATA_KEY is required when DATA_KEY_PREVIOUS is set",
    );
  });
});

describe("LOG_SIGNING_KEY", () => {
  it.each([
    [{ LOG_SIGNING_KEY: "a", EXPO_PUBLIC_LOG_SIGNING_KEY: "b" }, 1],
    [{ LOG_SIGNING_KEY: "a" }, 1],
    [{ EXPO_PUBLIC_LOG_SIGNING_KEY: "a" }, 1],
    [{ LOG_SIGNING_KEY: "a", EXPO_PUBLIC_LOG_SIGNING_KEY: "a\n" }, 0],
    [{}, 0],
  ])("is compared with the app's key (%j)", (given, warnings) => {
    const found = read(given).warnings.filter((text) => text.includes("LOG_SIGNING_KEY"));
    expect(found).toHaveLength(warnings);
  });
});

describe("production", () => {
  it.each([
    ["DATA_KEY", "data encrypted at rest depends on JWT_SECRET"],
    ["RESEND_API_KEY", "mail is queued but never sent"],
    ["CRON_SECRET", "cron routes reject every request"],
  ])("warns when %s is missing", (name, consequence) => {
    const { warnings } = read({ ...production, [name]: "" });
    expect(warnings).toEqual([expect.stringContaining(`${name} is not set: ${consequence}`)]);
  });
});

describe("LOG_LEVEL", () => {
  it.each(logLevels)("may be %s, in any letter case", (level) => {
    expect(read({ LOG_LEVEL: level.toLowerCase() }).log.level).toBe(level);
    expect(read({ LOG_LEVEL: level }).log.level).toBe(level);
  });

  it("cannot suppress SECURITY lines", () => {
    expect(read({ LOG_LEVEL: "silent" }).log.level).toBe("SECURITY");
    expect(read({ ...production, LOG_LEVEL: "silent" }).log.level).toBe("SECURITY");
  });

  it.each(["trace", "debug"])("%s is raised to INFO in production, with a warning", (level) => {
    const env = read({ ...production, LOG_LEVEL: level });
    expect(env.log.level).toBe("INFO");
    expect(env.warnings).toEqual([
      `LOG_LEVEL ${level.toUpperCase()} is raised to INFO in production.`,
    ]);
  });
});

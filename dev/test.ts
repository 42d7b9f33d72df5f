import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import pg from "pg";

/** Positional arguments filter by path. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** `backend` is the name of a suite. Any other value filters by path. */
    testPathPattern: { type: "string" },
    coverage: { type: "boolean" },
    watch: { type: "boolean" },
    /** Use the real PostgreSQL and Redis of TEST_DATABASE_URL and TEST_REDIS_URL. */
    services: { type: "boolean" },
  },
});

const services = {
  TEST_DATABASE_URL:
    process.env.TEST_DATABASE_URL ?? "postgresql://postgres@127.0.0.1:5432/postgres",
  TEST_REDIS_URL: process.env.TEST_REDIS_URL ?? "redis://127.0.0.1:6379",
};
if (values.services) await requireServices();

const vitest = path.join(
  path.dirname(createRequire(import.meta.url).resolve("vitest/package.json")),
  "vitest.mjs",
);
const { testPathPattern: pattern } = values;
const suite = pattern === "backend" ? ["--project", "backend"] : pattern ? [pattern] : [];
const child = spawn(
  process.execPath,
  [
    vitest,
    values.watch ? "watch" : "run",
    ...(values.coverage ? ["--coverage"] : []),
    ...suite,
    ...positionals,
  ],
  { stdio: "inherit", env: testEnvironment() },
);
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("exit", (code, signal) => {
  process.exitCode = signal ? 1 : (code ?? 1);
});

/** Tests must not see the developer's settings, above all not the address of a store. */
function testEnvironment(): NodeJS.ProcessEnv {
  const kept = [
    "PATH",
    "HOME",
    "TMPDIR",
    "TEMP",
    "SystemRoot",
    "TERM",
    "LANG",
    "CI",
    "NO_COLOR",
    "PROVE",
  ];
  const inherited = kept.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(inherited), ...(values.services ? services : {}) };
}

async function requireServices(): Promise<void> {
  const postgres = new pg.Client({ connectionString: services.TEST_DATABASE_URL });
  const redis = new Redis(services.TEST_REDIS_URL, {
    lazyConnect: true,
    retryStrategy: () => null,
  });
  redis.on("error", () => {});
  const missing = (
    await Promise.all([
      reachable("PostgreSQL", services.TEST_DATABASE_URL, () => postgres.connect()),
      reachable("Redis", services.TEST_REDIS_URL, () => redis.connect()),
    ])
  ).filter((line) => line !== undefined);
  for (const line of missing) console.error(line);
  if (missing.length > 0) process.exit(1);
  await postgres.end();
  redis.disconnect();
}

async function reachable(name: string, url: string, connect: () => Promise<unknown>) {
  try {
    await connect();
    return undefined;
  } catch {
    return `${name} does not answer at ${new URL(url).host}; test:services needs it.`;
  }
}

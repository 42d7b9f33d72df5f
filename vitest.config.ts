import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import process from "node:process";
import { defineConfig } from "vitest/config";

const patient = { testTimeout: 20_000, hookTimeout: 60_000 };
const built = "tests/support/built-project.ts";

const setupFiles = "tests/support/fresh-process.ts";

/** Files that share the process of their worker, and stores that are opened once. */
const inOneProcess = {
  isolate: false,
  setupFiles,
  alias: [
    { find: "@node-rs/argon2", replacement: path.resolve("tests/support/remembered-argon2.ts") },
    {
      find: /^\.\/postgres-thread\.js$/,
      replacement: path.resolve("tests/support/postgres-in-thread.ts"),
    },
  ],
  ...patient,
};

/** Races need real servers, and passwords that are really hashed. */
const services = {
  test: {
    name: "services",
    isolate: false,
    include: ["tests/services/**/*.test.ts"],
    globalSetup: built,
    setupFiles,
    ...patient,
  },
};

/** Over named stores only the tests that use them. */
const isNamed = process.env.TEST_DATABASE_URL !== undefined;
const platform = isNamed
  ? { include: ["tests/dev/{postgres,redis}/{parity,upstash-endpoint}.test.ts"] }
  : { include: ["tests/{dev,system}/**/*.test.ts"], globalSetup: built };

/** Tests that use no store, or whose promises over real stores are in tests/services. */
const anywhere = [
  ...["tests/api", "tests/lib"]
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true }).map((file) => `${folder}/${file}`),
    )
    .filter((file) => file.endsWith(".test.ts") && !/stores/i.test(readFileSync(file, "utf8"))),
  "tests/lib/cli/**",
  "tests/lib/observability/**",
  "tests/lib/alerts/**",
  "tests/lib/toolkit/**",
  "tests/lib/self-hosted/**",
  // Copies of the embedded Postgres. Those of a real server: tests/services/restore-drill.test.ts.
  "tests/lib/backups/**",
  "tests/api/ops/backups.test.ts",
  "tests/api/auth/login-claims.test.ts",
  "tests/api/contract.test.ts",
];

export default defineConfig({
  test: {
    pool: "forks",
    // Half of the time of the tests is waiting. Over named stores, each worker takes up to 40 connections to Postgres.
    maxWorkers: Math.ceil((isNamed ? 1.5 : 2) * availableParallelism()),
    globalSetup: "tests/support/global-setup.ts",
    coverage: {
      provider: "v8",
      include: ["api/**/*.ts", "lib/**/*.ts"],
      reporter: ["text-summary", "lcov"],
    },
    projects: [
      {
        test: {
          name: "backend",
          include: ["tests/{api,lib}/**/*.test.ts"],
          exclude: isNamed ? anywhere : [],
          ...inOneProcess,
        },
      },
      ...(isNamed ? [services] : []),
      { test: { name: "platform", ...platform, ...patient } },
    ],
  },
});

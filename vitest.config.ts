import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { defineConfig } from "vitest/config";

const patient = { testTimeout: 20_000, hookTimeout: 60_000 };
const globalSetup = "tests/support/global-setup.ts";
const built = "tests/support/built-project.ts";
const setupFiles = "tests/support/fresh-process.ts";

/** Races can only be lost on real servers: these run where some are named. */
const services = {
  test: {
    name: "services",
    include: ["tests/services/**/*.test.ts"],
    globalSetup: [globalSetup, built],
    setupFiles,
    ...patient,
  },
};

/** Over named stores only what asks them: the rest of the platform, and the terminal, ask functions at most. */
const isNamed = process.env.TEST_DATABASE_URL !== undefined;
const platform = isNamed
  ? "tests/dev/{postgres,redis}/**/!(embedded-postgres).test.ts"
  : "tests/{dev,system}/**/*.test.ts";

/** What asks no store, or is slow and alike over any: tests/services holds what that promises of real ones. */
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
  "tests/api/auth/login-claims.test.ts",
];

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: "100%",
    coverage: {
      provider: "v8",
      include: ["api/**/*.ts", "lib/**/*.ts"],
      reporter: ["text-summary", "lcov"],
    },
    projects: [
      {
        test: {
          name: "backend",
          isolate: false,
          include: ["tests/{api,lib}/**/*.test.ts"],
          exclude: isNamed ? anywhere : [],
          globalSetup,
          setupFiles,
          ...patient,
        },
      },
      ...(isNamed ? [services] : []),
      { test: { name: "platform", include: [platform], globalSetup: built, ...patient } },
    ],
  },
});

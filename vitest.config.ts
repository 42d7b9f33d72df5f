import process from "node:process";
import { defineConfig } from "vitest/config";

const patient = { testTimeout: 20_000, hookTimeout: 60_000 };
const globalSetup = "tests/support/global-setup.ts";

/** Races can only be lost on real servers: these run where some are named. */
const services = {
  test: {
    name: "services",
    include: ["tests/services/**/*.test.ts"],
    globalSetup,
    ...patient,
  },
};

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
          include: ["tests/{api,lib}/**/*.test.ts"],
          globalSetup,
          ...patient,
        },
      },
      ...(process.env.TEST_DATABASE_URL ? [services] : []),
      { test: { name: "platform", include: ["tests/{dev,system}/**/*.test.ts"], ...patient } },
    ],
  },
});

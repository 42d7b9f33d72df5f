import { defineConfig } from "vitest/config";

const patient = { testTimeout: 20_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    pool: "forks",
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
          globalSetup: "tests/support/global-setup.ts",
          ...patient,
        },
      },
      { test: { name: "platform", include: ["tests/{dev,system}/**/*.test.ts"], ...patient } },
    ],
  },
});

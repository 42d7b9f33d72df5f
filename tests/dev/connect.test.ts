import { afterEach, describe, expect, it, vi } from "vitest";
import { connectForCommand } from "../../dev/connect.js";

afterEach(() => vi.unstubAllEnvs());

describe("connectForCommand", () => {
  it("throws in production without DATABASE_URL, instead of using embedded stores", async () => {
    vi.stubEnv("NODE_ENV", "production");
    vi.stubEnv("DATABASE_URL", "");
    vi.stubEnv("EMBEDDED_STORES", "");

    await expect(connectForCommand()).rejects.toThrow("DATABASE_URL is required in production");
  });
});

import { afterEach, describe, expect, it, vi } from "vitest";
import { connectForCommand } from "../../dev/connect.js";

afterEach(() => vi.unstubAllEnvs());

describe("a command's connection", () => {
  it("is never to embedded stores in production by mistake", async () => {
    vi.stubEnv("NODE_ENV", "production");
    vi.stubEnv("DATABASE_URL", "");
    vi.stubEnv("EMBEDDED_STORES", "");

    await expect(connectForCommand()).rejects.toThrow("DATABASE_URL is required in production");
  });
});

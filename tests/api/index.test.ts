import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import index from "../../api/index.js";
import { call } from "../support/call.js";
import { useStores } from "../support/stores.js";

const stores = useStores();

describe("GET /api/", () => {
  it("returns exactly the four fields of the operations guide", async () => {
    const { status, headers, body } = await call(index, "GET");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/json");
    expect(Object.keys(body)).toEqual(["status", "message", "timestamp", "version"]);
    expect(body).toEqual({
      status: "ok",
      message: "Language Learning API is running",
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      version: JSON.parse(readFileSync("package.json", "utf8")).version,
    });
    expect(Math.abs(Date.parse(body.timestamp) - Date.now())).toBeLessThan(60_000);
  });

  it("calls no store, counts against no rate limit and ignores the token", async () => {
    await stores.resetCalls();
    const { status, headers } = await call(index, "GET", { token: "garbage" });
    const calls = stores.calls();
    expect(status).toBe(200);
    expect(calls).toEqual({ redisTrips: 0, redisCommands: 0, postgresCalls: 0 });
    expect(headers.get("x-ratelimit-limit")).toBeNull();
  });

  it("returns 200 while both stores are down", async () => {
    await stores.faults.postgres.set({ kind: "refuse" });
    await stores.faults.redis.set({ kind: "refuse" });
    expect((await call(index, "GET")).status).toBe(200);
  });
});

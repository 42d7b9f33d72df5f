import { describe, expect, it } from "vitest";
import * as z from "zod";
import user from "../../../api/user/index.js";
import type { Fault } from "../../../dev/fault-proxy.js";
import { endpoint } from "../../../lib/http/endpoint.js";
import { route } from "../../../lib/http/route.js";
import { LocalCounts } from "../../../lib/rate-limit/local-counts.js";
import { call } from "../../support/call.js";
import { useStillClock } from "../../support/clock.js";
import { useEnvironment } from "../../support/environment.js";
import { anAddress, aUser } from "../../support/people.js";
import { useStores } from "../../support/stores.js";

const max = 20;
useEnvironment({ RATE_LIMIT_MAX_REQUESTS: String(max) });
const stores = useStores();
const clock = useStillClock();

const limited = route("/api/limited", {
  GET: endpoint({
    summary: "Counted by the default limit.",
    auth: "anonymous",
    limits: ["default"],
    replies: { 204: null },
    errors: [],
    handle: async () => undefined,
  }),
});

const sendRequests = (ip: string, count: number) =>
  Promise.all(Array.from({ length: count }, () => call(limited, "GET", { ip })));
const statusesOf = async (ip: string, count: number) =>
  (await sendRequests(ip, count)).map(({ status }) => status);
const passed = (statuses: number[]) => statuses.filter((status) => status === 204).length;

describe("the default limit while Redis does not respond", () => {
  it.each<[string, Fault]>([
    ["answers after 400 ms", { kind: "latency", ms: 400 }],
    ["refuses connections", { kind: "refuse" }],
    ["hangs", { kind: "hang" }],
    ["answers with garbage", { kind: "garbage" }],
  ])("allows exactly its maximum of parallel requests when Redis %s", async (_, fault) => {
    const ip = anAddress();
    await stores.faults.redis.set(fault);
    const statuses = await statusesOf(ip, 60);
    expect(passed(statuses)).toBe(max);
    expect(statuses.filter((status) => status === 429)).toHaveLength(60 - max);
  });

  it("applies to sessions and IP addresses, with the usual headers", async () => {
    const { accessToken: token } = await aUser();
    await stores.faults.redis.set({ kind: "refuse" });
    for (let time = 0; time < max; time++) {
      expect((await call(user, "GET", { token })).status).toBe(200);
    }
    const { status, code, headers } = await call(user, "GET", { token });
    expect({ status, code }).toEqual({ status: 429, code: "rate_limited" });
    expect(headers.get("x-ratelimit-limit")).toBe(String(max));
    expect(headers.get("x-ratelimit-remaining")).toBe("0");
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
  });

  it("includes the window's requests that Redis counted", async () => {
    const ip = anAddress();
    expect(passed(await statusesOf(ip, 15))).toBe(15);
    await stores.faults.redis.set({ kind: "refuse" });
    expect(passed(await statusesOf(ip, 15))).toBe(5);
  });

  it("starts again with the next window", async () => {
    const ip = anAddress();
    await stores.faults.redis.set({ kind: "refuse" });
    expect(passed(await statusesOf(ip, max + 5))).toBe(max);
    clock.advance(60);
    expect(passed(await statusesOf(ip, max + 5))).toBe(max);
  });

  it("is decided by Redis again once it responds, so that deleting its key lifts the limit", async () => {
    const ip = anAddress();
    expect(passed(await statusesOf(ip, max + 1))).toBe(max);
    await stores.liftLimits();
    // Under load, Redis may exceed its time limit once more.
    await expect.poll(() => statusesOf(ip, 1), { timeout: 20_000 }).toEqual([204]);
  });

  it("counts a body that is refused before Redis is called", async () => {
    const ip = anAddress();
    await stores.faults.redis.set({ kind: "refuse" });
    const statuses = [];
    for (let time = 0; time < max + 2; time++) {
      statuses.push((await call(counted, "POST", { ip, body: "{" })).status);
    }
    expect(statuses.slice(0, max)).toEqual(Array(max).fill(400));
    expect(statuses.slice(max)).toEqual([429, 429]);
  });
});

const counted = route("/api/counted", {
  POST: endpoint({
    summary: "Counted by what the body says.",
    auth: "anonymous",
    limits: ["default"],
    identify: () => ({}),
    body: z.strictObject({}),
    replies: { 204: null },
    errors: [],
    handle: async () => undefined,
  }),
});

describe("LocalCounts", () => {
  it("keeps at most its maximum of counters and evicts the oldest first", () => {
    const counts = new LocalCounts(3);
    for (const key of ["a", "b", "c", "d"]) counts.count(key, 1000, 0);
    expect(counts.size).toBe(3);
    expect(counts.count("d", 1000, 0)).toBe(2);
    expect(counts.count("a", 1000, 0)).toBe(1);
  });

  it("deletes a window that has ended", () => {
    const counts = new LocalCounts(3);
    counts.count("a", 1000, 0);
    counts.count("b", 2000, 1000);
    expect(counts.size).toBe(1);
    expect(counts.count("b", 2000, 1500)).toBe(2);
  });
});

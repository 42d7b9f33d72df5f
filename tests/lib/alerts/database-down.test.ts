import { describe, expect, it, onTestFinished, vi } from "vitest";
import { evaluateAlerts } from "../../../lib/alerts/evaluate.js";
import { installPlatform, platform } from "../../../lib/platform/installed.js";
import { redis } from "../../../lib/redis/upstash-client.js";
import { useAlerts } from "../../support/alerts.js";
import { changeConnection } from "../../support/changed-connection.js";
import { setEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const lines = useLogLines();
const world = useAlerts(stores, { LOG_LEVEL: "info" });
const key = "test:HealthCheckFailing:postgres";

const cut = () => stores.faults.postgres.set({ kind: "refuse" });
const restore = () => stores.faults.postgres.set(null);
/** A tick that cannot read the database. */
const evaluateWithoutDatabase = (minute: number, why = "Error connecting to database") =>
  expect(evaluateAlerts(world.after(minute))).rejects.toThrow(why);
const outcomes = () => lines.read("database_down").map(({ data }) => data.outcome);

describe("alerts while Postgres is unavailable", () => {
  it("send one page in the second minute, which the state machine resolves later", async () => {
    await world.endMinute(0);
    await cut();
    await evaluateWithoutDatabase(1);
    expect(world.pager.incidents()).toEqual([]);
    for (let minute = 2; minute < 6; minute += 1) await evaluateWithoutDatabase(minute);
    expect(outcomes()).toEqual(["noted", "paged", "paged_before", "paged_before", "paged_before"]);
    expect(world.pager.incidents()).toMatchObject([
      { key, status: "triggered", triggers: 1, severity: "critical" },
    ]);
    expect(world.pager.incidents()[0]?.links[0]?.href).toMatch(/\/health-check-failing\.md$/);
    expect(world.team.messages()).toHaveLength(1);

    await restore();
    await world.endMinute(6);
    expect(await world.firing()).toContain("HealthCheckFailing:postgres");
    for (let minute = 7; minute < 10; minute += 1) await world.endMinute(minute);
    expect(await world.firing()).not.toContain("HealthCheckFailing:postgres");
    expect(await world.transitions("HealthCheckFailing")).toEqual([
      "2 inactive→pending",
      "3 pending→firing",
      "8 firing→inactive",
    ]);
    // The page sent without the database is the one that is resolved.
    expect(world.pager.incidents()).toMatchObject([{ key, status: "resolved", triggers: 1 }]);
    expect(await world.unsent()).toBe(0);
  });

  it.each([
    [
      "rejects the password",
      { password: "changed" },
      "password authentication failed",
      "DATABASE_URL is refused",
    ],
    [
      "has lost the database",
      { pathname: "/dropped" },
      'database "dropped" does not exist',
      "DATABASE_URL names no database",
    ],
  ])(
    "send a page with the reason when Postgres answers and %s",
    async (_, changed, why, reported) => {
      changeConnection(changed);
      for (const minute of [1, 2]) await evaluateWithoutDatabase(minute, why);
      expect(outcomes()).toEqual(["noted", "paged"]);
      expect(world.pager.incidents()).toMatchObject([{ key, status: "triggered" }]);
      expect(JSON.stringify(world.team.messages())).toContain(
        `Postgres is unavailable: ${reported};`,
      );
    },
  );

  it("send a page when Postgres can be read but not written", async () => {
    await world.endMinute(0);
    const match = (body: unknown) => /update \\"alert_clock\\"/.test(JSON.stringify(body));
    await stores.faults.postgres.set({ kind: "reset", match });
    for (const minute of [1, 2]) await evaluateWithoutDatabase(minute, "Failed query");
    expect(outcomes()).toEqual(["noted", "paged"]);
    expect(world.pager.incidents()).toMatchObject([{ key, status: "triggered" }]);
  });

  it("send no page for an outage of one minute", async () => {
    await world.endMinute(0);
    await cut();
    await evaluateWithoutDatabase(1);
    await restore();
    for (let minute = 2; minute < 5; minute += 1) await world.endMinute(minute);
    expect(world.pager.incidents()).toEqual([]);
    expect(world.team.messages()).toEqual([]);
    expect(await world.firing()).toEqual([]);
  });

  it("send the page when the pager first fails twice", async () => {
    await cut();
    await evaluateWithoutDatabase(1);
    world.pager.fail({ kind: "error", status: 500, times: 2 });
    await evaluateWithoutDatabase(2);
    expect(world.pager.incidents()).toHaveLength(1);
    expect(outcomes()).toEqual(["noted", "paged"]);
  });

  it("retry only the destination that failed", async () => {
    await cut();
    await evaluateWithoutDatabase(1);
    world.pager.fail({ kind: "error", status: 500 });
    await evaluateWithoutDatabase(2);
    expect(world.team.messages()).toHaveLength(1);
    world.pager.fail(null);
    await evaluateWithoutDatabase(3);
    expect(outcomes()).toEqual(["noted", "unsent", "paged"]);
    expect(world.pager.incidents()).toHaveLength(1);
    expect(world.team.messages()).toHaveLength(1);
  });

  it("send one page when several processes find the outage at the same time", async () => {
    await cut();
    await evaluateWithoutDatabase(1);
    await Promise.all(Array.from({ length: 5 }, () => evaluateWithoutDatabase(2)));
    expect(world.pager.incidents()).toMatchObject([{ triggers: 1 }]);
    expect(world.team.messages()).toHaveLength(1);
  });

  it("send the page at once when Redis is unavailable too", async () => {
    await world.endMinute(0);
    await stores.faults.redis.set({ kind: "refuse" });
    await cut();
    await evaluateWithoutDatabase(1);
    expect(world.pager.incidents()).toMatchObject([{ key, status: "triggered", triggers: 1 }]);
    await stores.faults.redis.set(null);
    await expect.poll(async () => (await redis()).get("nothing"), { timeout: 15_000 }).toBe(null);
    await restore();
    for (let minute = 2; minute < 6; minute += 1) await world.endMinute(minute);
    expect(world.pager.incidents()).toMatchObject([{ key, status: "resolved", triggers: 1 }]);
  });

  it("send the page when the Redis client cannot be loaded, and load it later", async () => {
    await world.endMinute(0);
    installPlatform(platform());
    vi.doMock("@upstash/redis", () => Promise.reject(new Error("too many open files")));
    onTestFinished(() => void vi.doUnmock("@upstash/redis"));
    await cut();
    world.pager.fail({ kind: "error", status: 500, times: 3 });
    for (const minute of [1, 2]) await evaluateWithoutDatabase(minute);
    expect(outcomes()).toEqual(["unsent", "paged"]);
    await restore();
    for (let minute = 3; minute < 7; minute += 1) await world.endMinute(minute);
    expect(world.pager.incidents()).toMatchObject([{ key, status: "resolved", triggers: 1 }]);
    vi.doUnmock("@upstash/redis");
    expect(await (await redis()).get("nothing")).toBe(null);
  });

  it("write a log line when no destination is configured", async () => {
    setEnvironment({ LOG_LEVEL: "info", EXPO_PUBLIC_TOOLKIT_URL: world.toolkit.url });
    await cut();
    await evaluateWithoutDatabase(1);
    await evaluateWithoutDatabase(2);
    expect(lines.read("database_down").at(-1)).toMatchObject({ level: "ERROR" });
    expect(outcomes()).toEqual(["noted", "unaddressed"]);
  });

  it("resolve a page after the cron job stopped for longer than it catches up", async () => {
    await world.endMinute(0);
    await cut();
    for (let minute = 1; minute < 4; minute += 1) await evaluateWithoutDatabase(minute);
    await restore();
    for (let minute = 60; minute < 64; minute += 1) await world.endMinute(minute);
    expect(world.pager.incidents()).toMatchObject([{ key, status: "resolved", triggers: 1 }]);
    expect(await world.firing()).not.toContain("HealthCheckFailing:postgres");
  });

  it("do not change for an outage that another process has recorded", async () => {
    await world.endMinute(0);
    await stores.faults.redis.set({ kind: "refuse" });
    await cut();
    await evaluateWithoutDatabase(1);
    await stores.faults.redis.set(null);
    await expect.poll(async () => (await redis()).get("nothing"), { timeout: 15_000 }).toBe(null);
    await restore();
    // Another process did not see the outage and has evaluated these minutes.
    const until = new Date(world.after(1).now.setSeconds(0, 0));
    await stores.sql("update alert_clock set sampled_until = $1", until.toISOString());
    for (let minute = 2; minute < 6; minute += 1) await world.endMinute(minute);
    expect(await world.transitions("HealthCheckFailing")).toEqual([]);
  });
});

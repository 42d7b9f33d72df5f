import { describe, expect, it } from "vitest";
import { evaluateAlerts } from "../../../lib/alerts/evaluate.js";
import { redis } from "../../../lib/redis/client.js";
import { useAlerts } from "../../support/alerts.js";
import { changeConnection } from "../../support/changed-connection.js";
import { setEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

const stores = useStores({ redisMs: 5000 });
const lines = useLogLines();
const world = useAlerts(stores, { LOG_LEVEL: "info" });
const key = "test:HealthCheckFailing:postgres";

const cut = () => stores.faults.postgres.set({ kind: "refuse" });
const mend = () => stores.faults.postgres.set(null);
/** The clock ticks, and can read nothing. */
const blindly = (minute: number, why = "Error connecting to database") =>
  expect(evaluateAlerts(world.after(minute))).rejects.toThrow(why);
const outcomes = () => lines.read("database_down").map(({ data }) => data.outcome);

describe("alerts while Postgres is away", () => {
  it("page in the second minute, once, and are resolved by the state machine", async () => {
    await world.pass(0);
    await cut();
    await blindly(1);
    expect(world.pager.incidents()).toEqual([]);
    for (let minute = 2; minute < 6; minute += 1) await blindly(minute);
    expect(outcomes()).toEqual(["noted", "told", "told_before", "told_before", "told_before"]);
    expect(world.pager.incidents()).toMatchObject([
      { key, status: "triggered", triggers: 1, severity: "critical" },
    ]);
    expect(world.pager.incidents()[0]?.links[0]?.href).toMatch(/\/health-check-failing\.md$/);
    expect(world.team.messages()).toHaveLength(1);

    await mend();
    await world.pass(6);
    expect(await world.firing()).toContain("HealthCheckFailing:postgres");
    for (let minute = 7; minute < 10; minute += 1) await world.pass(minute);
    expect(await world.firing()).not.toContain("HealthCheckFailing:postgres");
    expect(await world.transitions("HealthCheckFailing")).toEqual([
      "2 inactive→pending",
      "3 pending→firing",
      "8 firing→inactive",
    ]);
    // The page that went past the database is the one that ends.
    expect(world.pager.incidents()).toMatchObject([{ key, status: "resolved", triggers: 1 }]);
    expect(await world.unsent()).toBe(0);
  });

  it.each([
    [
      "takes the password no more",
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
  ])("page where Postgres answers and %s, and say so", async (_, changed, why, told) => {
    changeConnection(changed);
    for (const minute of [1, 2]) await blindly(minute, why);
    expect(outcomes()).toEqual(["noted", "told"]);
    expect(world.pager.incidents()).toMatchObject([{ key, status: "triggered" }]);
    expect(JSON.stringify(world.team.messages())).toContain(`Postgres is unavailable: ${told};`);
  });

  it("page where Postgres reads and takes nothing that is written", async () => {
    await world.pass(0);
    const match = (body: unknown) => /update \\"alert_clock\\"/.test(JSON.stringify(body));
    await stores.faults.postgres.set({ kind: "reset", match });
    for (const minute of [1, 2]) await blindly(minute, "Failed query");
    expect(outcomes()).toEqual(["noted", "told"]);
    expect(world.pager.incidents()).toMatchObject([{ key, status: "triggered" }]);
  });

  it("page nobody for one minute", async () => {
    await world.pass(0);
    await cut();
    await blindly(1);
    await mend();
    for (let minute = 2; minute < 5; minute += 1) await world.pass(minute);
    expect(world.pager.incidents()).toEqual([]);
    expect(world.team.messages()).toEqual([]);
    expect(await world.firing()).toEqual([]);
  });

  it("page although the pager first fails twice", async () => {
    await cut();
    await blindly(1);
    world.pager.fail({ kind: "error", status: 500, times: 2 });
    await blindly(2);
    expect(world.pager.incidents()).toHaveLength(1);
    expect(outcomes()).toEqual(["noted", "told"]);
  });

  it("tell the way again that took nothing, and no other", async () => {
    await cut();
    await blindly(1);
    world.pager.fail({ kind: "error", status: 500 });
    await blindly(2);
    expect(world.team.messages()).toHaveLength(1);
    world.pager.fail(null);
    await blindly(3);
    expect(outcomes()).toEqual(["noted", "unsent", "told"]);
    expect(world.pager.incidents()).toHaveLength(1);
    expect(world.team.messages()).toHaveLength(1);
  });

  it("page once where several processes find it at the same time", async () => {
    await cut();
    await blindly(1);
    await Promise.all(Array.from({ length: 5 }, () => blindly(2)));
    expect(world.pager.incidents()).toMatchObject([{ triggers: 1 }]);
    expect(world.team.messages()).toHaveLength(1);
  });

  it("page at once where Redis is away too, which nobody else would remember", async () => {
    await world.pass(0);
    await stores.faults.redis.set({ kind: "refuse" });
    await cut();
    await blindly(1);
    expect(world.pager.incidents()).toMatchObject([{ key, status: "triggered", triggers: 1 }]);
    await stores.faults.redis.set(null);
    await expect.poll(() => redis().get("nothing"), { timeout: 15_000 }).toBe(null);
    await mend();
    for (let minute = 2; minute < 6; minute += 1) await world.pass(minute);
    expect(world.pager.incidents()).toMatchObject([{ key, status: "resolved", triggers: 1 }]);
  });

  it("are a line of the log where nobody is set to be told", async () => {
    setEnvironment({ LOG_LEVEL: "info", EXPO_PUBLIC_TOOLKIT_URL: world.toolkit.url });
    await cut();
    await blindly(1);
    await blindly(2);
    expect(lines.read("database_down").at(-1)).toMatchObject({ level: "ERROR" });
    expect(outcomes()).toEqual(["noted", "unaddressed"]);
  });

  it("end a page of which the clock stood still for longer than it makes up for", async () => {
    await world.pass(0);
    await cut();
    for (let minute = 1; minute < 4; minute += 1) await blindly(minute);
    await mend();
    for (let minute = 60; minute < 64; minute += 1) await world.pass(minute);
    expect(world.pager.incidents()).toMatchObject([{ key, status: "resolved", triggers: 1 }]);
    expect(await world.firing()).not.toContain("HealthCheckFailing:postgres");
  });

  it("are not moved by an outage that another process has recorded", async () => {
    await world.pass(0);
    await stores.faults.redis.set({ kind: "refuse" });
    await cut();
    await blindly(1);
    await stores.faults.redis.set(null);
    await expect.poll(() => redis().get("nothing"), { timeout: 15_000 }).toBe(null);
    await mend();
    // The other one knew nothing, or has forgotten it: for the alerts the minutes are done.
    const until = new Date(world.after(1).now.setSeconds(0, 0));
    await stores.sql("update alert_clock set sampled_until = $1", until.toISOString());
    for (let minute = 2; minute < 6; minute += 1) await world.pass(minute);
    expect(await world.transitions("HealthCheckFailing")).toEqual([]);
  });
});

import { describe, expect, it } from "vitest";
import { seriesName } from "../../../lib/observability/metrics.js";
import { recordBreakerGauge } from "../../../lib/toolkit/breaker/gauge.js";
import { probeIdleBreaker } from "../../../lib/toolkit/breaker/idle-probe.js";
import { readBreaker } from "../../../lib/toolkit/breaker/shared-breaker.js";
import { useAlerts } from "../../support/alerts.js";
import { aContext } from "../../support/context.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const lines = useLogLines();
const world = useAlerts(stores);
const { toolkit } = world;

const minutesAgo = (minutes: number) => Date.now() - minutes * 60_000;
const set = (field: string) => stores.redis("HSET", "gate", "breaker:toolkit", field);
const state = async () => String(await stores.redis("HGET", "gate", "breaker:toolkit"));
const gauge = seriesName("circuit_breaker_state", { service: "toolkit" });

/** One minute of the cron job. */
async function runMinute(minute: number): Promise<string[]> {
  await probeIdleBreaker(aContext());
  await recordBreakerGauge(aContext());
  toolkit.requests.length = 0;
  await world.endMinute(minute);
  return world.firing();
}

describe("a half-open breaker", () => {
  // As for a call, a 404 means that the service answers.
  it.each([200, 404])(
    "is closed by a probe that gets %s after five minutes without calls",
    async (answer) => {
      toolkit.answer = answer;
      await set(`open:3:${minutesAgo(6)}`);
      await probeIdleBreaker(aContext());
      expect(await state()).toBe("closed:4:0");
      expect(toolkit.requests.map(({ path }) => path)).toEqual(["/health"]);
      expect(lines.read("circuit_breaker_changed")).toMatchObject([
        { data: { service: "toolkit", outcome: "closed" } },
      ]);
    },
  );

  it.each([500, 401, "nothing"] as const)("opens again when the probe gets %s", async (answer) => {
    toolkit.answer = answer;
    await set(`open:3:${minutesAgo(6)}`);
    const openedAtMs = minutesAgo(7);
    await stores.redis("HSET", "breaker:toolkit", "openings", "1", "openedAt", `${openedAtMs}`);
    await probeIdleBreaker(aContext());
    expect(await readBreaker()).toMatchObject({ openings: 2, openedAtMs });
    expect(await state()).toMatch(/^open:4:\d+$/);
    expect(Number((await state()).split(":")[2])).toBeGreaterThan(Date.now());
  });

  it.each([
    ["is not probed while it has recent calls", `open:3:${minutesAgo(4)}`],
    ["is not probed while it is open", `open:3:${minutesAgo(-1)}`],
    ["is not probed while an operator forces it open", "forced_open:3:0"],
    ["is not probed while an operator forces it closed", "forced_closed:3:0"],
    ["is not probed while it is closed", "closed:3:0"],
  ])("%s", async (_, field) => {
    await set(field);
    await probeIdleBreaker(aContext());
    expect(await state()).toBe(field);
    expect(toolkit.requests).toEqual([]);
  });

  it("is probed once by concurrent cron jobs", async () => {
    await set(`open:3:${minutesAgo(6)}`);
    await Promise.all([1, 2, 3].map(() => probeIdleBreaker(aContext())));
    expect(toolkit.requests).toHaveLength(1);
    expect(await state()).toBe("closed:4:0");
  });
});

describe("ExternalApiDown", () => {
  const alert = "ExternalApiDown:toolkit";

  it("keeps firing while an opened breaker is half-open, until it is closed", async () => {
    await set(`open:3:${minutesAgo(-1)}`);
    await runMinute(0);
    expect(await runMinute(1)).toEqual([alert]);
    await set(`open:3:${minutesAgo(0)}`);
    for (let minute = 2; minute < 12; minute += 1) {
      expect(await runMinute(minute), `minute ${minute}`).toEqual([alert]);
    }
    await set(`open:3:${minutesAgo(6)}`);
    for (let minute = 12; minute < 17; minute += 1) await runMinute(minute);
    expect(await state()).toBe("closed:4:0");
    expect(await runMinute(17)).toEqual([]);
    expect(await stores.sql("select value from telemetry_gauges where series = $1", gauge)).toEqual(
      [{ value: "0" }],
    );
  });

  it("keeps firing while an operator forces the breaker open, and not while forced closed", async () => {
    await set("forced_open:3:0");
    await runMinute(0);
    for (let minute = 1; minute < 9; minute += 1) expect(await runMinute(minute)).toEqual([alert]);
    await set("forced_closed:4:0");
    for (let minute = 9; minute < 16; minute += 1) await runMinute(minute);
    expect(await world.firing()).toEqual([]);
  });
});

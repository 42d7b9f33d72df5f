import { describe, expect, it } from "vitest";
import { deliverNotices } from "../../lib/alerts/deliver-notices.js";
import { evaluateAlerts } from "../../lib/alerts/evaluate.js";
import { requests, useAlerts } from "../support/alerts.js";
import { useStores } from "../support/stores.js";
import { times } from "../support/two-processes.js";

const stores = useStores();
const world = useAlerts(stores);

const failing = requests(100, { failed: 40 });
const rivals = 6;

/** End a minute and run several evaluators in parallel, the first one `late` minutes behind. */
async function endMinute(minute: number, counts = requests(100), late = 0) {
  await world.count(minute, counts);
  const ticks = times(rivals, (turn) => world.after(turn === 0 ? minute - late : minute));
  const results = await Promise.all(ticks.map((ctx) => evaluateAlerts(ctx)));
  await stores.settled();
  await Promise.all(times(rivals, () => deliverNotices(world.after(minute))));
  return results;
}

describe("parallel alert evaluators", () => {
  it("make each transition once, and send each notice once", async () => {
    let [transitions, notices] = [0, 0];
    const tally = (results: Awaited<ReturnType<typeof endMinute>>) => {
      for (const result of results) {
        transitions += result.transitions;
        notices += result.notices;
      }
    };
    for (let minute = 0; minute < 5; minute += 1) tally(await endMinute(minute, failing, 1));
    await world.gauge("audit_chain_broken", 1);
    for (let minute = 5; minute < 8; minute += 1) tally(await endMinute(minute, failing, 1));
    await world.gauge("audit_chain_broken", 0);
    for (let minute = 8; minute < 24; minute += 1) tally(await endMinute(minute, requests(100), 1));

    expect(await world.firing()).toEqual([]);
    expect(await world.transitions("ErrorRateCritical")).toEqual([
      "0 inactive→pending",
      "2 pending→firing",
      "17 firing→inactive",
    ]);
    const recorded = await stores.sql("select count(*) from alert_transitions");
    expect(Number(recorded[0]?.count)).toBe(transitions);
    const paged = world.pager.incidents();
    expect(paged.map(({ triggers, status }) => ({ triggers, status }))).toEqual([
      { triggers: 1, status: "resolved" },
      { triggers: 1, status: "resolved" },
    ]);
    const delivered =
      paged.length * 2 + world.team.messages().length + world.investigate.messages().length;
    expect(delivered).toBe(notices);
    expect(await world.unsent()).toBe(0);
  });

  it("lose no notice when a receiver fails during parallel delivery", async () => {
    for (let minute = 0; minute < 2; minute += 1) await endMinute(minute, failing);
    world.pager.fail({ kind: "error", status: 500, times: 2 });
    for (let minute = 2; minute < 6; minute += 1) await endMinute(minute, failing);
    expect(world.pager.incidents()).toMatchObject([{ triggers: 1, status: "triggered" }]);
    expect(await world.unsent()).toBe(0);
  });

  it("page once while the database is unavailable, and record it once afterwards", async () => {
    await endMinute(0);
    await stores.faults.postgres.set({ kind: "refuse" });
    for (let minute = 1; minute < 4; minute += 1) {
      const blind = times(rivals, () => evaluateAlerts(world.after(minute)));
      const ends = await Promise.allSettled(blind);
      expect(ends.map(({ status }) => status)).not.toContain("fulfilled");
    }
    expect(world.pager.incidents()).toMatchObject([{ triggers: 1, status: "triggered" }]);
    await stores.faults.postgres.set(null);
    for (let minute = 4; minute < 8; minute += 1) await endMinute(minute);
    expect(await world.transitions("HealthCheckFailing")).toEqual([
      "2 inactive→pending",
      "3 pending→firing",
      "6 firing→inactive",
    ]);
    expect(world.pager.incidents()).toMatchObject([{ triggers: 1, status: "resolved" }]);
  });

  it("read only the security events and the last minutes of a busy day", async () => {
    await stores.sql(
      `insert into telemetry_minutes
       select date_trunc('minute', now()) - m * interval '1 minute',
         case when s > 4 then 'http_requests_total{route="/api/r' || s || '",method="GET",status="200"}'
           else 'security_events_total{event="e' || s || '"}' end, 1
       from generate_series(1, 1440) m, generate_series(1, 40) s`,
    );
    await stores.sql("analyze telemetry_minutes");
    await endMinute(0);
    const scans = async () => {
      const [row] = await stores.sql(
        `select idx_scan, idx_tup_read from pg_stat_user_indexes
         where indexrelname = 'telemetry_minutes_security_idx'`,
      );
      return Number(row?.idx_scan);
    };
    await expect.poll(scans, { timeout: 15_000 }).toBeGreaterThan(0);
    const [table] = await stores.sql(
      "select seq_tup_read from pg_stat_user_tables where relname = 'telemetry_minutes'",
    );
    // Neither ANALYZE nor an evaluation adds to this count.
    expect(Number(table?.seq_tup_read)).toBeLessThan(57_600);
  });
});

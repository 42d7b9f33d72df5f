import { describe, expect, it } from "vitest";
import { times, useTwoProcesses } from "../support/two-processes.js";

const processes = useTwoProcesses();
const { aRecordedLearner, read, redis, sql } = processes;

const series = 'http_requests_total{route="/api/user",method="GET",status="200"}';

/** Drained or waiting in the stream. */
async function recorded(): Promise<number> {
  const [total] = await sql("select value from telemetry_totals where series = $1", [series]);
  const entries = (await redis("XRANGE", "events", "-", "+")) as [string, [string, string]][];
  return entries.reduce(
    (sum, [, [, text]]) => {
      const minutes: Record<string, number>[] = Object.values(JSON.parse(text).counters);
      return minutes.reduce((count, minute) => count + (minute[series] ?? 0), sum);
    },
    Number(total?.value ?? 0),
  );
}

describe("a built server at SIGTERM", () => {
  it("loses no event of the requests that it answered", async () => {
    let [sent, answered] = [0, 0];
    const readUntilStopped = async () => {
      const person = await aRecordedLearner();
      for (;;) {
        sent += 1;
        const reply = await read(0, person).catch(() => undefined);
        if (!reply) return;
        expect(reply.status).toBe(200);
        answered += 1;
      }
    };
    const load = Promise.all(times(8, readUntilStopped));
    await expect.poll(() => answered, { timeout: 20_000 }).toBeGreaterThan(200);
    expect(await processes.servers[0]?.stop()).toBe(0);
    await load;
    await processes.servers[1]?.stop();
    const events = await recorded();
    expect(events).toBeGreaterThanOrEqual(answered);
    expect(events).toBeLessThanOrEqual(sent);
  }, 60_000);
});

import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import type { Context } from "../../../lib/context.js";
import { lacksRequiredRow } from "../../../lib/db/failures.js";
import { cronCursors } from "../../../lib/db/schema/crons.js";
import { enqueue, type NewEntry } from "../../../lib/queue/enqueue.js";
import { defineJob } from "../../../lib/queue/job.js";
import type { Entry } from "../../../lib/queue/kind.js";
import { entryDone } from "../../../lib/queue/settle.js";
import { runJobs } from "../../../lib/schedule/run-jobs.js";
import { aContext } from "../../support/context.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const lines = useLogLines();
useEnvironment({ LOG_LEVEL: "info" });
beforeEach(() => stores.sql("delete from queue_entries"));

const kind = "greet";
const aKey = () => `greet:${randomUUID()}`;
const attemptsMax = 8;
const queue = (job: Partial<NewEntry> = {}) =>
  enqueue(aContext(), { kind, key: aKey(), payload: { name: "Ada" }, ...job });
const run = (work: Work = async () => {}, ctx = aContext()) => {
  const job = defineJob({
    name: kind,
    payload: z.strictObject({ name: z.string() }),
    async handle(ctx, entry) {
      await work(ctx, entry);
      return { end: "done" };
    },
  });
  return runJobs(ctx, [job], performance.now() + 10_000);
};
type Work = (ctx: Context, entry: Entry<{ name: string }>) => Promise<void>;
const nothing = { done: 0, dropped: 0, retried: 0, died: 0, expired: 0, dead: 0 };
const allJobs = () => stores.sql("select * from queue_entries order by created_at");
/** Makes every job due and every lease expired. */
const expireWaits = () => stores.sql("update queue_entries set run_after = now()");

describe("a job", () => {
  it("runs once with its payload and the caller's correlation ID", async () => {
    const ctx = aContext();
    await enqueue(ctx, { kind, key: "greet:1", payload: { name: "Ada" } });
    const seen: unknown[] = [];
    const work: Work = async ({ correlationId }, { payload, key, attempt }) =>
      void seen.push({ correlationId, payload, key, attempt });
    expect(await run(work)).toEqual({ ...nothing, done: 1 });
    expect(await run(work)).toMatchObject({ done: 0 });
    const { correlationId } = ctx;
    expect(seen).toEqual([{ correlationId, payload: { name: "Ada" }, key: "greet:1", attempt: 1 }]);
    expect(await allJobs()).toMatchObject([{ attempts: "1", done_at: expect.any(String) }]);
  });

  it("is queued once per key, also after it is done", async () => {
    const key = aKey();
    await queue({ key });
    await queue({ key, payload: { name: "Grace" } });
    await run();
    await queue({ key });
    expect(await run()).toMatchObject({ done: 0 });
    expect(await allJobs()).toHaveLength(1);
  });

  it("is queued in the transaction of the change that needs it", async () => {
    const ctx = aContext();
    const broken = ctx.db.execute("select 1 / 0");
    await expect(ctx.db.batch([queue(), broken])).rejects.toThrow();
    expect(await allJobs()).toEqual([]);
  });

  it("waits until it is due", async () => {
    await queue({ runAfter: new Date(Date.now() + 3_600_000) });
    expect(await run()).toMatchObject({ done: 0 });
    await expireWaits();
    expect(await run()).toMatchObject({ done: 1 });
  });

  it("is left to a release that has a handler for its kind", async () => {
    await queue({ kind: "of_tomorrow" });
    expect(await run()).toEqual(nothing);
    expect(await allJobs()).toMatchObject([{ attempts: "0", dead_at: null }]);
  });

  it("is retried with growing delays and given up after the last attempt", async () => {
    await queue();
    const fails: Work = async () => {
      throw new TypeError("ada@example.com cannot be greeted");
    };
    const waits: number[] = [];
    for (let attempt = 1; attempt < attemptsMax; attempt += 1) {
      expect(await run(fails)).toMatchObject({ retried: 1, died: 0 });
      expect(await run(fails)).toMatchObject({ retried: 0 });
      const [row] = await stores.sql(
        "select extract(epoch from run_after - now()) as wait, leased_until from queue_entries",
      );
      expect(row?.leased_until).toBeNull();
      waits.push(Number(row?.wait));
      await expireWaits();
    }
    const [first = 0, , third = 0] = waits;
    expect(first).toBeGreaterThan(5);
    expect(third).toBeGreaterThan(first);
    expect(Math.max(...waits)).toBeLessThanOrEqual(45 * 60);
    expect(await run(fails)).toEqual({ ...nothing, died: 1, dead: 1 });
    expect(await allJobs()).toMatchObject([
      { attempts: String(attemptsMax), dead_at: expect.any(String), last_error: "TypeError" },
    ]);
    expect(lines.read("job_retried")).toHaveLength(attemptsMax - 1);
    const [died] = lines.read("job_dead");
    expect(died).toMatchObject({ level: "ERROR", data: { operation: kind, attempt: attemptsMax } });
    expect(lines.written().join("")).not.toContain("ada@example.com");
    await expireWaits();
    expect(await run()).toMatchObject({ done: 0 });
  });

  it("is given up at once for an invalid payload, without stopping other jobs", async () => {
    await queue({ payload: { nick: "Ada" } });
    await queue();
    expect(await run()).toEqual({ ...nothing, done: 1, died: 1, dead: 1 });
  });

  it("is given up when it kills its process at each attempt", async () => {
    await queue();
    await stores.sql(
      "update queue_entries set attempts = $1, run_after = now()",
      String(attemptsMax),
    );
    expect(await run()).toMatchObject({ died: 1, dead: 1 });
    expect(lines.read("job_dead")).toMatchObject([{ data: { attempt: attemptsMax } }]);
  });

  it("is not taken over before its lease has expired", async () => {
    await queue();
    const attempts: number[] = [];
    const outer: Work = async (_, { attempt }) => {
      attempts.push(attempt);
      if (attempt > 1) return;
      expect(await run(outer)).toMatchObject({ done: 0 });
      await expireWaits();
      expect(await run(outer)).toMatchObject({ done: 1 });
    };
    await run(outer);
    expect(attempts).toEqual([1, 2]);
    expect(await allJobs()).toMatchObject([{ attempts: "2", last_error: null }]);
  });

  it("commits its writes once although another process took it over", async () => {
    await queue();
    const refusals: unknown[] = [];
    const write = (ctx: Context, job: Entry) =>
      ctx.db.batch([
        entryDone(ctx, job),
        ctx.db.insert(cronCursors).values({ name: job.id, position: String(job.attempt) }),
      ]);
    const work: Work = async (ctx, job) => {
      if (job.attempt === 1) {
        await expireWaits();
        await run(work);
      }
      await write(ctx, job).catch((error) => {
        refusals.push(error);
        throw error;
      });
    };
    await run(work);
    expect(refusals.map(lacksRequiredRow)).toEqual([true]);
    const [{ id = "" } = {}] = await allJobs();
    expect(await stores.sql("select position from cron_cursors where name = $1", id)).toEqual([
      { position: "2" },
    ]);
    expect(await allJobs()).toMatchObject([{ done_at: expect.any(String), dead_at: null }]);
  });
});

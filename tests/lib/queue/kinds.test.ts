import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { enqueue, type NewEntry } from "../../../lib/queue/enqueue.js";
import {
  type AttemptOutcome,
  defineKind,
  type Entry,
  type Failure,
} from "../../../lib/queue/kind.js";
import { runDue, runEntries } from "../../../lib/queue/run-due.js";
import { entryDone } from "../../../lib/queue/settle.js";
import { aContext } from "../../support/context.js";
import { useEnvironment } from "../../support/environment.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
useEnvironment();
beforeEach(() => stores.sql("delete from queue_entries"));

const queue = (entry: Partial<NewEntry> = {}) =>
  enqueue(aContext(), { kind: "letter", payload: { to: "Ada" }, ...entry });
const rows = () => stores.sql("select * from queue_entries order by created_at, id");
const nothing = { done: 0, dropped: 0, retried: 0, died: 0, expired: 0 };

/** A kind without keys, and the calls of its log hooks. */
function aKind(
  handle: (entry: Entry<{ to: string }>) => Promise<AttemptOutcome<{ to: string }>>,
  change: { attemptsMax?: number | null; concurrency?: number; budgetSeconds?: number } = {},
) {
  const logged: { is: string; failure?: Failure; delaySeconds?: number; count?: number }[] = [];
  const kind = defineKind<{ to: string }>({
    name: "letter",
    payload: z.strictObject({ to: z.string() }),
    leaseSeconds: 60,
    attemptsMax: 3,
    backoffSeconds: { first: 10, max: 100, jitter: 0.5 },
    concurrency: 1,
    budgetSeconds: 10,
    handle: (_, entry) => handle(entry),
    log: {
      retried: (_, __, failure, delaySeconds) =>
        void logged.push({ is: "retried", failure, delaySeconds }),
      died: (_, __, failure) => void logged.push({ is: "died", failure }),
      expired: (_, count) => void logged.push({ is: "expired", count }),
    },
    ...change,
  });
  return { kind, logged };
}

describe("an entry without a key", () => {
  it("is deleted when it is done, and when it is dropped", async () => {
    const ends = [{ end: "done" }, { end: "dropped" }] as const;
    const { kind } = aKind(async ({ payload }) => ends[Number(payload.to)] ?? ends[0]);
    for (const to of ["0", "1"]) await queue({ payload: { to } });
    expect(await runDue(aContext(), kind)).toEqual({ ...nothing, done: 1, dropped: 1 });
    expect(await rows()).toEqual([]);
  });

  it("is deleted in the transaction of a handler that commits `entryDone`", async () => {
    const ctx = aContext();
    const { kind } = aKind(async (entry) => {
      await ctx.db.batch([entryDone(ctx, entry)]);
      expect(await rows()).toEqual([]);
      return { end: "done" };
    });
    await queue();
    expect(await runDue(ctx, kind)).toEqual({ ...nothing, done: 1 });
  });

  it("is a dead letter when its handler returns `dead`, with a new payload if it returns one", async () => {
    const payload = { to: "Grace" };
    const { kind, logged } = aKind(async () => ({ end: "dead", reason: "refused", payload }));
    await queue();
    expect(await runDue(aContext(), kind)).toEqual({ ...nothing, died: 1 });
    const [row] = await rows();
    expect(row).toMatchObject({ last_error: "refused", leased_until: null, done_at: null });
    expect(JSON.parse(row?.payload ?? "")).toEqual(payload);
    expect(logged).toEqual([{ is: "died", failure: { reason: "refused" } }]);
    expect(await runDue(aContext(), kind)).toEqual(nothing);
  });

  it("is a dead letter when the next attempt would be after its expiry", async () => {
    const { kind } = aKind(async () => ({ end: "retry", reason: "busy", afterSeconds: 60 }));
    await queue({ expiresAt: new Date(Date.now() + 30_000) });
    expect(await runDue(aContext(), kind)).toEqual({ ...nothing, died: 1 });
  });

  it("is retried until it expires if its kind has no maximum of attempts", async () => {
    const { kind, logged } = aKind(async () => ({ end: "retry", reason: "busy" }), {
      attemptsMax: null,
    });
    await queue({ expiresAt: new Date(Date.now() + 5000) });
    await stores.sql("update queue_entries set attempts = 50");
    expect(await runDue(aContext(), kind)).toEqual({ ...nothing, retried: 1 });
    await stores.sql("update queue_entries set expires_at = now()");
    expect(await runDue(aContext(), kind)).toEqual({ ...nothing, expired: 1 });
    expect(logged.map(({ is }) => is)).toEqual(["retried", "expired"]);
  });

  it("is retried after at least the delay of its handler, with jitter", async () => {
    const { kind, logged } = aKind(async () => ({
      end: "retry",
      reason: "busy",
      afterSeconds: 40,
    }));
    await queue();
    await runDue(aContext(), kind);
    const [{ delaySeconds = 0 } = {}] = logged;
    expect(delaySeconds).toBeGreaterThanOrEqual(40);
    expect(delaySeconds).toBeLessThanOrEqual(60);
    const [row] = await stores.sql(
      "select extract(epoch from run_after - now()) as wait, leased_until from queue_entries",
    );
    expect(Number(row?.wait)).toBeGreaterThan(35);
    expect(row?.leased_until).toBeNull();
  });

  it("is retried after an error, which is logged without its payload", async () => {
    const error = new TypeError("Ada has no address");
    const { kind, logged } = aKind(async () => {
      throw error;
    });
    await queue();
    expect(await runDue(aContext(), kind)).toEqual({ ...nothing, retried: 1 });
    expect(await rows()).toMatchObject([{ last_error: "TypeError" }]);
    expect(logged).toMatchObject([{ failure: { reason: "TypeError", error } }]);
  });

  it("is a dead letter after a last attempt without a result", async () => {
    const { kind, logged } = aKind(async () => ({ end: "done" }));
    await queue();
    await stores.sql("update queue_entries set attempts = 3, run_after = now()");
    expect(await runDue(aContext(), kind)).toEqual({ ...nothing, died: 1 });
    expect(logged).toMatchObject([{ is: "died", failure: { reason: "lease_expired" } }]);
  });

  it("is leased during an attempt", async () => {
    const { kind } = aKind(async () => {
      const [row] = await stores.sql("select leased_until > now() as leased from queue_entries");
      expect(row).toEqual({ leased: "t" });
      return { end: "done" };
    });
    await queue();
    expect(await runDue(aContext(), kind)).toEqual({ ...nothing, done: 1 });
  });
});

describe("a kind", () => {
  it("handles at most `concurrency` entries at once", async () => {
    let [now, most] = [0, 0];
    const { kind } = aKind(
      async () => {
        now += 1;
        most = Math.max(most, now);
        await sleep(20);
        now -= 1;
        return { end: "done" };
      },
      { concurrency: 3 },
    );
    await Promise.all(Array.from({ length: 7 }, () => queue()));
    expect(await runDue(aContext(), kind)).toEqual({ ...nothing, done: 7 });
    expect(most).toBe(3);
  });

  it("ends its run when a pause is longer than the rest of its budget", async () => {
    const { kind } = aKind(async () => ({ end: "retry", reason: "busy", pauseSeconds: 30 }));
    await Promise.all([queue(), queue()]);
    expect(await runDue(aContext(), kind)).toEqual({ ...nothing, retried: 1 });
  });

  it("claims nothing after its end time", async () => {
    const { kind } = aKind(async () => ({ end: "done" }));
    await queue();
    expect(await runDue(aContext(), kind, performance.now())).toEqual(nothing);
    expect(await rows()).toMatchObject([{ attempts: "0" }]);
  });

  it("handles only the given entries, and none of another kind", async () => {
    const seen: string[] = [];
    const { kind } = aKind(async ({ id }) => {
      seen.push(id);
      return { end: "done" };
    });
    const [id, other] = [randomUUID(), randomUUID()];
    await queue({ id });
    await queue();
    await queue({ id: other, kind: "parcel" });
    await runEntries(aContext(), kind, [id, other]);
    expect(seen).toEqual([id]);
    expect(await rows()).toHaveLength(2);
  });
});

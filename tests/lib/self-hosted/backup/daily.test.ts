import process from "node:process";
import { NeonDbError } from "@neondatabase/serverless";
import { DrizzleQueryError } from "drizzle-orm";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { databaseUnavailable } from "../../../../lib/db/failures.js";
import { runDaily } from "../../../../lib/self-hosted/backup/daily.js";
import { contextOf, useFolders } from "../../../support/backups.js";

const folder = useFolders();
const never = () => new Promise<never>(() => {});
const calls: string[] = [];
const said: string[] = [];

beforeEach(() => {
  calls.length = 0;
  said.length = 0;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
});
afterEach(() => void vi.useRealTimers());

/** `run` with jobs of which each that `acts` names does that, beside being noted. */
function run(acts: Record<string, () => Promise<never>>) {
  const job = (name: string) => async () => {
    calls.push(name);
    return (await acts[name]?.()) as never;
  };
  const { databaseUrl: _, ...context } = contextOf(folder());
  const say = (line: string) => void said.push(line);
  return runDaily(
    {
      settings: { url: "file:///", keys: context.keys } as never,
      context,
      io: { out: say, error: say },
      rest: [],
      options: {},
      migrations: "drizzle",
    },
    {
      check: job("check"),
      advanceDrill: job("drill"),
      recordErasures: job("record"),
      takeDump: job("dump"),
      takeBase: job("base"),
    },
    100,
  );
}
const called = (name: string) => calls.filter((call) => call === name).length;

it.each(["dump", "record", "check", "drill"])(
  "a job that hangs stops no other (%s)",
  async (hung) => {
    const others = ["dump", "record", "check", "drill"].filter((name) => name !== hung);
    const rejected = async () => Promise.reject(new Error("is over"));
    const running = run({ dump: rejected, [hung]: never });
    await vi.waitUntil(() => called("dump") > 0, { timeout: 10_000 });
    for (let hour = 0; hour < 3; hour += 1) await vi.advanceTimersByTimeAsync(3_600_000);
    await vi.waitUntil(() => others.every((name) => called(name) > 2), { timeout: 10_000 });
    expect(called(hung)).toBe(1);
    process.emit("SIGTERM");
    await vi.advanceTimersByTimeAsync(100);
    expect(await running).toBe(hung === "drill" ? 0 : 1);
  },
);

it("ends at a second signal at once", async () => {
  const running = run({ record: never });
  await vi.waitUntil(() => called("record") > 0, { timeout: 10_000 });
  process.emit("SIGTERM");
  await vi.advanceTimersByTimeAsync(1);
  process.emit("SIGTERM");
  expect(await running).toBe(1);
  expect(said.at(-1)).toContain("Ended during a job");
});

it("says that the database cannot be reached, and why, and shows no SQL", async () => {
  const refused = databaseUnavailable(new Error("connect ECONNREFUSED 127.0.0.1:1"));
  const cause = Object.assign(new NeonDbError(`Error connecting to database: ${refused}`), {
    sourceError: refused,
  });
  const drill = () => Promise.reject(new DrizzleQueryError("select 1", [], cause));
  const check = () => Promise.reject(Object.assign(new NeonDbError("too many"), { code: "53300" }));
  const running = run({ drill, check });
  await vi.waitUntil(() => called("check") > 0, { timeout: 10_000 });
  process.emit("SIGTERM");
  expect(await running).toBe(0);
  const failures = said.filter((line) => /(drills|Check) failed: /.test(line));
  expect(failures.map((line) => line.slice(line.indexOf(" ") + 1)).sort()).toEqual([
    "Advancing restore drills failed: The database cannot be reached: connect ECONNREFUSED 127.0.0.1:1",
    "Check failed: too many",
  ]);
});

import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { databaseForRequest } from "../../../lib/db/database.js";
import { leavesSessionState } from "../../../lib/platform/postgres-transport/session-state.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();
const logs = useLogLines();
useEnvironment({ LOG_LEVEL: "info" });

const sent = () => stores.faults.postgres.calls.map(({ body }) => body);

describe("a statement that a request sends", () => {
  const db = () => databaseForRequest({ correlationId: "abc-1" });

  it("begins with a comment, and keeps a value that looks like a statement unchanged", async () => {
    await stores.resetCalls();
    const value = '{"query":"select 1","queries":[{"query":"x"}]}';
    const { rows } = await db().execute(sql`select ${value} as given, ${"a"} as other`);
    expect(rows).toEqual([{ given: value, other: "a" }]);
    expect(sent()).toEqual([
      {
        query: "/*correlation_id=abc-1*/ select $1 as given, $2 as other",
        params: [value, "a"],
      },
    ]);
  });

  it("has no comment when the ID could end the comment", async () => {
    await stores.resetCalls();
    await databaseForRequest({ correlationId: "*/ drop table users; /*" }).execute(sql`select 1`);
    expect(sent()).toEqual([{ query: "select 1", params: [] }]);
  });

  it("is logged when it is slow, without its values", async () => {
    await stores.faults.postgres.set({ kind: "latency", ms: 300, times: 1 });
    await db().execute(sql`select ${"ada@example.com"}::text   as
      slow`);
    await db().execute(sql`select 1`);
    expect(logs.read("slow_statement")).toMatchObject([
      {
        level: "WARN",
        corr: { correlationId: "abc-1" },
        data: { statement: "select $1::text as slow", duration: expect.any(Number) },
      },
    ]);
    expect(logs.written().join()).not.toContain("ada");
  });

  it("is logged when Postgres does not respond", async () => {
    await stores.faults.postgres.set({ kind: "latency", ms: 2600, times: 1 });
    await expect(db().execute(sql`select 2`)).rejects.toThrow();
    expect(logs.read("slow_statement")).toMatchObject([{ data: { statement: "select 2" } }]);
  });
});

describe("a statement after a comment", () => {
  it.each([
    ["/*correlation_id=a-1*/ select 1", false],
    ["/*correlation_id=a-1*/ set search_path = x", true],
    ["/*a*/ /*b*/ select 1", true],
    ["/* /* */ set x = 1; */ select 1", true],
    ["/*a", true],
  ])("%s leaves session state: %s", (text, leaves) => {
    expect(leavesSessionState(text)).toBe(leaves);
  });
});

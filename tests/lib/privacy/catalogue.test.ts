import { describe, expect, it } from "vitest";
import { catalogue, personalTables } from "../../../lib/privacy/catalogue.js";
import { useStores } from "../../support/stores.js";

const stores = useStores();

/** The tables of the live schema with their columns; partitions belong to their table. */
async function liveSchema(): Promise<Record<string, string[]>> {
  const rows = await stores.sql(
    `select c.relname as table, a.attname as column
     from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
       and not c.relispartition and a.attnum > 0 and not a.attisdropped
     order by 1, 2`,
  );
  const tables: Record<string, string[]> = {};
  for (const { table, column } of rows) {
    tables[table ?? ""] = [...(tables[table ?? ""] ?? []), column ?? ""];
  }
  return tables;
}

describe("the privacy catalogue", () => {
  it("names each table and column of the live schema, and nothing else", async () => {
    const named = Object.entries(catalogue).map(([table, { columns }]) => [
      table,
      Object.keys(columns).sort(),
    ]);
    const live = Object.entries(await liveSchema()).map(([table, held]) => [table, held.sort()]);
    expect(Object.fromEntries(named)).toEqual(Object.fromEntries(live));
  });

  it("marks as personal each table that refers to an account", async () => {
    const rows = await stores.sql(
      `select distinct conrelid::regclass::text as table from pg_constraint
       where contype = 'f' and confrelid = 'users'::regclass`,
    );
    const named = personalTables.map(({ table }) => table);
    expect(rows.map(({ table }) => table).filter((table) => !named.includes(table ?? ""))).toEqual(
      [],
    );
  });

  it("sorts each table by columns that it has, which are unique for a person", async () => {
    const live = await liveSchema();
    for (const { table, key, writtenAt } of personalTables) {
      const needed = [...key.map(({ column }) => column), ...(writtenAt ? [writtenAt] : [])];
      expect([table, needed.filter((column) => !live[table]?.includes(column))]).toEqual([
        table,
        [],
      ]);
    }
  });

  it("has a section of its own for each personal table", () => {
    const sections = personalTables.map(({ section }) => section);
    expect(new Set(sections).size).toBe(sections.length);
  });

  it("gives each personal table something to export, or says why each value is withheld", () => {
    for (const { table, columns } of personalTables) {
      const kinds = Object.values(columns);
      expect([table, kinds.some((kind) => kind !== "technical")]).toEqual([table, true]);
    }
  });

  it("gives no technical table a column that could name a person", () => {
    const names = /user_id|email|ip$|ip_prefix|device|subject/;
    for (const [table, { columns, personal }] of Object.entries(catalogue)) {
      if (personal) continue;
      expect([table, Object.keys(columns).filter((column) => names.test(column))]).toEqual([
        table,
        [],
      ]);
    }
  });
});

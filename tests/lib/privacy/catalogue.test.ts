import { PgDialect } from "drizzle-orm/pg-core";
import { describe, expect, it } from "vitest";
import { catalogue, type PersonalTable, personalTables } from "../../../lib/privacy/catalogue.js";
import { personOfIds } from "../../../lib/privacy/person.js";
import { aContext } from "../../support/context.js";
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

const foreignKeys = () =>
  stores.sql(
    `select conrelid::regclass::text as table, confrelid::regclass::text as named from pg_constraint
     where contype = 'f' and conparentid = 0 and conrelid <> confrelid`,
  );

/** The columns of each unique index of a table, and each column that a sequence fills. */
async function uniqueColumns(table: string): Promise<string[][]> {
  const rows = await stores.sql(
    `select (select json_agg(attname) from pg_attribute where attrelid = indrelid and attnum = any(indkey)) as columns
     from pg_index where indrelid = $1::regclass and indisunique and indpred is null and indexprs is null
     union all
     select json_build_array(attname) from pg_attribute
     left join pg_attrdef on adrelid = attrelid and adnum = attnum
     where attrelid = $1::regclass and (attidentity <> '' or pg_get_expr(adbin, adrelid) like 'nextval(%')`,
    table,
  );
  return rows.map(({ columns }) => JSON.parse(columns ?? "[]"));
}

const dialect = new PgDialect();

/** For each condition on the rows of a person, the column that it fixes to one value. */
function fixedColumns({ rows }: PersonalTable): string[] {
  const value = ["x"];
  const conditions = rows({
    ...personOfIds(aContext(), ["7d0f3c1e-5a2b-4c6d-8e9f-0a1b2c3d4e5f"]),
    ...{ emails: value, addressHashes: value, limitKeys: value, counterKeys: value },
  });
  const texts = conditions.map((condition) => dialect.sqlToQuery(condition).sql);
  return texts.map((text) => /^"?(\w+)"? = (?!any\()/.exec(text)?.[1] ?? "");
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

  it("has each table below those that its foreign keys name: the purge goes upwards", async () => {
    const order = Object.keys(catalogue);
    const wrong = (await foreignKeys()).filter(
      ({ table, named }) => order.indexOf(table ?? "") < order.indexOf(named ?? ""),
    );
    expect(
      wrong.map(({ table, named }) => `move ${table} below ${named} in lib/privacy/catalogue.ts`),
    ).toEqual([]);
  });

  it("says for each table that is erased how rows written after the erasure go", async () => {
    const keys = await foreignKeys();
    const refuses = (table: string): boolean =>
      table === "users" ||
      keys.some(({ table: from, named }) => from === table && refuses(named ?? ""));
    const isErased = ({ erased }: PersonalTable) => erased === "deleted" || "changed" in erased;
    const unsaid = personalTables.filter(
      (entry) => isErased(entry) && !entry.late && !refuses(entry.table),
    );
    expect(
      unsaid.map(({ table }) => `${table} needs \`late\`: no foreign key leads to users`),
    ).toEqual([]);
    const needless = personalTables.filter((entry) => entry.late && refuses(entry.table));
    expect(needless.map(({ table }) => `${table} needs no \`late\``)).toEqual([]);
  });

  it("sorts each table by columns that it has, which are unique for a person", async () => {
    const live = await liveSchema();
    for (const entry of personalTables) {
      const { table, key, writtenAt } = entry;
      const sorted = key.map(({ column }) => column);
      const needed = [...sorted, ...(writtenAt ? [writtenAt] : [])];
      expect([table, needed.filter((column) => !live[table]?.includes(column))]).toEqual([
        table,
        [],
      ]);
      const unique = await uniqueColumns(table);
      for (const fixed of fixedColumns(entry)) {
        const known = [...sorted, fixed];
        const isUnique = unique.some((columns) => columns.every((each) => known.includes(each)));
        expect([table, sorted, isUnique]).toEqual([table, sorted, true]);
      }
      expect(fixedColumns(entry)).not.toEqual([]);
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

import { type NeonQueryFunction, neon } from "@neondatabase/serverless";
import { asc, eq, sql as raw } from "drizzle-orm";
import { drizzle } from "drizzle-orm/neon-http";
import * as pg from "drizzle-orm/pg-core";

type Sql = NeonQueryFunction<false, true>;

export interface Client {
  sql: Sql;
  db: ReturnType<typeof drizzle>;
}

export function clientFor(connectionString: string): Client {
  const db = drizzle(neon(connectionString));
  return { sql: neon(connectionString, { fullResults: true }), db };
}

export const schema = [
  `CREATE TYPE level AS ENUM ('beginner', 'fluent')`,
  `CREATE TABLE people (
    id uuid PRIMARY KEY, email text NOT NULL UNIQUE, age integer CHECK (age > 0))`,
  `CREATE TABLE notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person uuid NOT NULL REFERENCES people (id), text varchar(20) NOT NULL)`,
  `CREATE TABLE samples (
    id integer PRIMARY KEY, tz timestamptz, ts timestamp, d date, j jsonb, big bigint,
    num numeric(30,10), bytes bytea, ids uuid[], texts text[], flag boolean, span interval,
    grade level, ratio double precision)`,
];

const samples = pg.pgTable("samples", {
  id: pg.integer("id").primaryKey(),
  tz: pg.timestamp("tz", { withTimezone: true }),
  tzText: pg.timestamp("ts", { mode: "string" }),
  d: pg.date("d"),
  j: pg.jsonb("j"),
  big: pg.bigint("big", { mode: "bigint" }),
  num: pg.numeric("num"),
  ids: pg.uuid("ids").array(),
  texts: pg.text("texts").array(),
  flag: pg.boolean("flag"),
  span: pg.interval("span"),
  ratio: pg.doublePrecision("ratio"),
});
const people = pg.pgTable("people", {
  id: pg.uuid("id").primaryKey(),
  email: pg.text("email").notNull(),
  age: pg.integer("age"),
});

const ann = "00000000-0000-4000-8000-00000000000a";
const bob = "00000000-0000-4000-8000-00000000000b";
const awkward = ['say "hi"', "NULL", "back\\slash", "", "a,b", "{x}", "é\n"];

interface Case {
  name: string;
  run: (client: Client) => Promise<unknown>;
  expected: unknown;
}

/** Expected results of the unmodified clients over every store; each case has an empty database. */
export const cases: Case[] = [
  {
    name: "returns every column type in the form that the client parses",
    run: async ({ sql }) => {
      await sql`INSERT INTO samples VALUES (1, '2026-01-02 03:04:05.678901+02', '2026-01-02 03:04:05',
        '2026-01-02', ${{ a: [1, null] }}, ${"9007199254740993"}, '12345678901234567890.0123456789',
        ${Buffer.from([0, 255, 10])}, ${[ann, bob]}, ${awkward}, true, '1 day 02:03:04', 'fluent', 0.1)`;
      const { rows } = await sql`
        SELECT *, ts::text AS ts_text, d::text AS d_text, span::text AS span_text FROM samples`;
      const { ts, d, span, ...row } = rows[0] ?? {};
      return row;
    },
    expected: {
      id: 1,
      // Text, because drizzle replaces the client's parser globally.
      tz: "2026-01-02 01:04:05.678901+00",
      j: { a: [1, null] },
      big: "9007199254740993",
      num: "12345678901234567890.0123456789",
      bytes: Buffer.from([0, 255, 10]),
      ids: [ann, bob],
      texts: awkward,
      flag: true,
      grade: "fluent",
      ratio: 0.1,
      ts_text: "2026-01-02 03:04:05",
      d_text: "2026-01-02",
      span_text: "1 day 02:03:04",
    },
  },
  {
    name: "returns nulls, and arrays with nulls",
    run: async ({ sql }) => (await sql`SELECT NULL::int AS n, ${["a", null]}::text[] AS list`).rows,
    expected: [{ n: null, list: ["a", null] }],
  },
  {
    name: "accepts parameters of every JSON type",
    run: async ({ sql }) =>
      (
        await sql`SELECT ${true}::boolean AS b, ${1.5}::float8 AS f, ${{ k: 1 }}::jsonb AS o,
          ${[1, 2]}::int[] AS list, ${null}::text AS n`
      ).rows,
    expected: [{ b: true, f: 1.5, o: { k: 1 }, list: [1, 2], n: null }],
  },
  {
    name: "returns rows as arrays, also with duplicate column names",
    run: async ({ sql }) =>
      (await sql.query("SELECT 1 AS a, 2 AS a", [], { arrayMode: true, fullResults: true })).rows,
    expected: [[1, 2]],
  },
  {
    name: "returns the complete field descriptions",
    run: async ({ sql }) => {
      const { fields } = await sql`SELECT text, id, 1::numeric(8,2) AS n FROM notes`;
      return fields.map(({ tableID, ...field }) => ({ ...field, isOfTable: tableID > 0 }));
    },
    expected: [
      field({ name: "text", columnID: 3, dataTypeID: 1043, dataTypeModifier: 24, isOfTable: true }),
      field({ name: "id", columnID: 1, dataTypeID: 20, dataTypeSize: 8, isOfTable: true }),
      field({ name: "n", dataTypeID: 1700, dataTypeModifier: 524_294 }),
    ],
  },
  {
    name: "returns the command and the row count",
    run: async ({ sql }) => {
      const results = [
        await sql`INSERT INTO people VALUES (${ann}, 'a@x', 1), (${bob}, 'b@x', 2)`,
        await sql`UPDATE people SET age = 3 WHERE id = ${ann} RETURNING age`,
        await sql`SELECT * FROM people`,
        await sql`DELETE FROM people WHERE age = 99`,
        await sql`CREATE TABLE made (id int)`,
        await sql``,
      ];
      return results.map(({ command, rowCount, rowAsArray }) => [command, rowCount, rowAsArray]);
    },
    expected: [
      ["INSERT", 2, false],
      ["UPDATE", 1, false],
      ["SELECT", 2, false],
      ["DELETE", 0, false],
      ["CREATE", null, false],
      ["", null, false],
    ],
  },
  errorCase("a unique violation", ({ sql }) => insertTwice(sql), {
    severity: "ERROR",
    code: "23505",
    message: 'duplicate key value violates unique constraint "people_email_key"',
    detail: "Key (email)=(a@x) already exists.",
    schema: "public",
    table: "people",
    constraint: "people_email_key",
  }),
  errorCase("a not-null violation", ({ sql }) => sql`INSERT INTO people VALUES (${ann}, NULL, 1)`, {
    severity: "ERROR",
    code: "23502",
    message: 'null value in column "email" of relation "people" violates not-null constraint',
    detail: `Failing row contains (${ann}, null, 1).`,
    schema: "public",
    table: "people",
    column: "email",
  }),
  errorCase(
    "a foreign key violation",
    ({ sql }) => sql`INSERT INTO notes (person, text) VALUES (${bob}, 'x')`,
    {
      severity: "ERROR",
      code: "23503",
      message:
        'insert or update on table "notes" violates foreign key constraint "notes_person_fkey"',
      detail: `Key (person)=(${bob}) is not present in table "people".`,
      schema: "public",
      table: "notes",
      constraint: "notes_person_fkey",
    },
  ),
  errorCase("a syntax error", ({ sql }) => sql`SELEKT 1`, {
    severity: "ERROR",
    code: "42601",
    message: 'syntax error at or near "SELEKT"',
    position: "1",
  }),
  errorCase("a malformed parameter", ({ sql }) => sql`SELECT ${"x"}::uuid`, {
    severity: "ERROR",
    code: "22P02",
    message: 'invalid input syntax for type uuid: "x"',
    where: "unnamed portal parameter $1 = '...'",
  }),
  errorCase("an error inside a function", ({ sql }) => sql`DO $$ BEGIN PERFORM 1 / 0; END $$`, {
    severity: "ERROR",
    code: "22012",
    message: "division by zero",
    where: 'SQL statement "SELECT 1 / 0"\nPL/pgSQL function inline_code_block line 1 at PERFORM',
  }),
  {
    name: "runs a batch as one transaction with the requested isolation level",
    run: async ({ sql }) => {
      const show = [
        sql`SHOW transaction_isolation`,
        sql`SHOW transaction_read_only`,
        sql`SHOW transaction_deferrable`,
      ];
      const strict = { isolationLevel: "Serializable", readOnly: true, deferrable: true } as const;
      const results = [
        ...(await sql.transaction(show, strict)),
        ...(await sql.transaction(show.slice(0, 2), { isolationLevel: "RepeatableRead" })),
        ...(await sql.transaction(show.slice(0, 1), { isolationLevel: "ReadUncommitted" })),
        ...(await sql.transaction(show.slice(0, 2))),
      ];
      return results.flatMap(({ rows }) => rows.map((row) => Object.values(row)[0]));
    },
    expected: [
      ...["serializable", "on", "on"],
      ...["repeatable read", "off"],
      "read uncommitted",
      ...["read committed", "off"],
    ],
  },
  {
    name: "rolls a batch back at its first error, and runs the next one",
    run: async ({ sql }) => {
      const failed = await sql
        .transaction([
          sql`INSERT INTO people VALUES (${ann}, 'a@x', 1)`,
          sql`INSERT INTO people VALUES (${bob}, 'b@x', -1)`,
          sql`INSERT INTO people VALUES (gen_random_uuid(), 'c@x', 1)`,
        ])
        .catch((error) => error.code);
      return [failed, (await sql`SELECT count(*)::int AS n FROM people`).rows];
    },
    expected: ["23514", [{ n: 0 }]],
  },
  {
    name: "rolls a batch back when its commit fails",
    run: async ({ sql }) => {
      await sql`ALTER TABLE notes ALTER CONSTRAINT notes_person_fkey DEFERRABLE INITIALLY DEFERRED`;
      const failed = await sql
        .transaction([sql`INSERT INTO notes (person, text) VALUES (${ann}, 'x')`])
        .catch((error) => error.code);
      return [failed, (await sql`SELECT count(*)::int AS n FROM notes`).rows];
    },
    expected: ["23503", [{ n: 0 }]],
  },
  {
    name: "resets the session state between calls",
    run: async ({ sql }) => {
      await sql`SET statement_timeout = '5s'`;
      await sql`SELECT set_config('search_path', 'nowhere', false)`;
      await sql`CREATE TEMPORARY TABLE leftover (id int)`;
      await sql`BEGIN`;
      await sql.transaction([sql`SET application_name = 'leftover'`]);
      const { rows } = await sql`SELECT current_setting('statement_timeout') AS timeout,
        current_setting('application_name') = 'leftover' AS is_named, to_regclass('leftover') AS made,
        to_regclass('people') IS NOT NULL AS finds_tables`;
      await sql`INSERT INTO people VALUES (${ann}, 'a@x', 1)`;
      return [rows, (await sql`SELECT count(*)::int AS n FROM people`).rows];
    },
    expected: [[{ timeout: "0", is_named: false, made: null, finds_tables: true }], [{ n: 1 }]],
  },
  {
    name: "runs a prepared statement again after a migration changed its columns",
    run: async ({ sql }) => {
      const read = async () => (await sql.query("SELECT * FROM people")).fields.length;
      const counts = [await read(), await read()];
      await sql`ALTER TABLE people ADD COLUMN note text`;
      return [...counts, await read(), await read()];
    },
    expected: [3, 3, 4, 4],
  },
  {
    name: "returns each of 100 parallel queries its own result",
    run: async ({ sql }) => {
      const answers = await Promise.all(
        Array.from({ length: 100 }, async (_, i) => (await sql`SELECT ${i}::int AS i`).rows[0]?.i),
      );
      return answers.every((answer, i) => answer === i);
    },
    expected: true,
  },
  {
    name: "rejects COPY FROM STDIN and runs the next statement",
    run: async ({ sql }) => {
      const code = await sql`COPY people FROM STDIN`.catch((error) => error.code);
      return [typeof code, (await sql`SELECT 1 AS one`).rows];
    },
    expected: ["string", [{ one: 1 }]],
  },
  {
    name: "works with drizzle: every type is read as it was written",
    run: async ({ db }) => {
      await db.insert(samples).values(sample);
      const [found] = await db.select().from(samples).where(eq(samples.id, 7));
      return found;
    },
    get expected() {
      return sample;
    },
  },
  {
    name: "works with drizzle: an upsert",
    run: async ({ db }) => {
      const person = { id: ann, email: "a@x", age: 1 };
      const upsert = () =>
        db
          .insert(people)
          .values(person)
          .onConflictDoUpdate({ target: people.id, set: { age: raw`${people.age} + 1` } })
          .returning({ age: people.age });
      return [await upsert(), await upsert()];
    },
    expected: [[{ age: 1 }], [{ age: 2 }]],
  },
  {
    name: "works with drizzle: a batch of four, and one that fails",
    run: async ({ db }) => {
      const insert = (id: string, age: number) =>
        db.insert(people).values({ id, email: id, age }).returning({ age: people.age });
      const read = db.select({ age: people.age }).from(people).orderBy(asc(people.age));
      const done = await db.batch([insert(ann, 1), insert(bob, 2), read, db.delete(people)]);
      const failed = await db.batch([insert(ann, 1), insert(ann, 1)]).catch((error) => error.code);
      return [done.slice(0, 3), failed, await read];
    },
    expected: [[[{ age: 1 }], [{ age: 2 }], [{ age: 1 }, { age: 2 }]], "23505", []],
  },
];

const sample = {
  id: 7,
  tz: new Date("2026-01-02T03:04:05.678Z"),
  tzText: "2026-01-02 03:04:05.678901",
  d: "2026-01-02",
  j: { deep: ["x", 1, null] },
  big: 9007199254740993n,
  num: "0.0000000001",
  ids: [ann, bob],
  texts: awkward,
  flag: false,
  span: "1 day 02:03:04",
  ratio: 1e-300,
};

function field(given: Record<string, unknown>) {
  return {
    columnID: 0,
    dataTypeSize: -1,
    dataTypeModifier: -1,
    format: "text",
    isOfTable: false,
    ...given,
  };
}

async function insertTwice(sql: Sql) {
  await sql`INSERT INTO people VALUES (${ann}, 'a@x', 1)`;
  await sql`INSERT INTO people VALUES (${bob}, 'a@x', 1)`;
}

const errorFields = [
  "message",
  "severity",
  "code",
  "detail",
  "hint",
  "position",
  "internalPosition",
  "internalQuery",
  "where",
  "schema",
  "table",
  "column",
  "dataType",
  "constraint",
];

/** Compares all fields except the source location, which differs between releases of PostgreSQL. */
function errorCase(
  name: string,
  provoke: (client: Client) => Promise<unknown>,
  expected: Record<string, string>,
): Case {
  return {
    name: `reports ${name} with all fields`,
    run: async (client) => {
      const error = await provoke(client).then(
        () => ({}),
        (thrown) => thrown,
      );
      const given = errorFields.filter((name) => error[name] !== undefined);
      return {
        ...Object.fromEntries(given.map((name) => [name, error[name]])),
        isLocated:
          /^\w+\.[chyl]+$/.test(error.file) &&
          /^\d+$/.test(error.line) &&
          /^\w+$/.test(error.routine),
      };
    },
    expected: { ...expected, isLocated: true },
  };
}

import { once } from "node:events";
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { migrateCommand } from "../../../../lib/db/migrations/command.js";
import { type ServedDatabase, stores } from "../../../dev/postgres/served-database.js";

const first = "0001_create_words";
const second = "0002_add_level";
const files = {
  [`${first}.sql`]:
    "CREATE TABLE words (id int PRIMARY KEY);\n--> statement-breakpoint\nINSERT INTO words VALUES (1);",
  [`${first}.down.sql`]: "DROP TABLE words;",
  [`${second}.sql`]: "ALTER TABLE words ADD COLUMN level text;",
  [`${second}.down.sql`]: "ALTER TABLE words DROP COLUMN level;",
};
const concurrentIndex = {
  "0003_index_levels.sql":
    "-- no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS words_level ON words (level);",
  "0003_index_levels.down.sql": "-- no transaction\nDROP INDEX CONCURRENTLY IF EXISTS words_level;",
};

// Use the driver's own transport instead of the functions' transport.
beforeAll(() => {
  neonConfig.fetchFunction = undefined;
});

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "migrations-"));
});
afterEach(() => rm(directory, { recursive: true }));

async function write(contents: Record<string, string>): Promise<void> {
  for (const [file, text] of Object.entries(contents)) await writeFile(join(directory, file), text);
}

interface Outcome {
  code: number;
  out: string[];
  errors: string[];
}

async function migrateOn(
  connectionString: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<Outcome> {
  const [out, errors]: [string[], string[]] = [[], []];
  const code = await migrateCommand(
    args,
    async () => ({ sql: neon(connectionString), close: async () => {} }),
    { out: (line) => out.push(line), error: (line) => errors.push(line) },
    { directory, headFile: join(directory, "head.ts"), env },
  );
  return { code, out, errors };
}

describe.each(stores)("migrations over $name", ({ serve }) => {
  let database: ServedDatabase;
  const sql = () => neon(database.connectionString);
  const migrate = (...args: string[]) => migrateOn(database.connectionString, args);
  const columns = async () =>
    (
      await sql()`SELECT column_name FROM information_schema.columns WHERE table_name = 'words'
        ORDER BY 1`
    ).map((row) => row.column_name);
  const recorded = async () =>
    (await sql()`SELECT name FROM schema_migrations ORDER BY name`).map((row) => row.name);

  beforeAll(async () => {
    database = await serve();
  }, 30_000);
  afterAll(() => database.close());
  beforeEach(async () => {
    await sql().transaction((tx) => [tx`DROP SCHEMA public CASCADE`, tx`CREATE SCHEMA public`]);
  });

  it("skips an empty file and continues", async () => {
    await write({ ...files, "0003_later.sql": "-- soon\n", "0003_later.down.sql": "-- soon\n" });
    const skipped = "Skipped 0003_later: its file contains no statement yet";
    expect((await migrate("up")).out).toEqual([`Applied ${first}`, `Applied ${second}`, skipped]);
    expect((await migrate("status")).out.at(-1)).toBe("pending  0003_later");
    expect((await migrate("down")).out).toEqual([`Undid ${second}`]);
    await migrate("up");
    expect((await migrate("up")).out).toEqual([skipped]);
    expect((await migrate("down")).out).toEqual([`Undid ${second}`]);
    await write({ "0003_later.sql": "CREATE TABLE later ();" });
    expect((await migrate("up")).out).toEqual([`Applied ${second}`, "Applied 0003_later"]);
    const undone = await migrate("down");
    expect(undone).toMatchObject({ code: 1, errors: [expect.stringContaining("no statement")] });
  });

  it("skips a newly created file, and applies statements added below its comment", async () => {
    await write(files);
    const name = "0003_add_users_table";
    await migrate("create", "add_users_table");
    const skipped = `Skipped ${name}: its file contains no statement yet`;
    expect((await migrate("up")).out).toEqual([`Applied ${first}`, `Applied ${second}`, skipped]);
    await appendFile(join(directory, `${name}.sql`), files[`${first}.sql`].replace(/words/g, "u"));
    await appendFile(join(directory, `${name}.down.sql`), "DROP TABLE u;");
    expect(await migrate("up")).toMatchObject({ code: 0, out: [`Applied ${name}`] });
    expect(await sql()`SELECT id FROM u`).toEqual([{ id: 1 }]);
    expect(await migrate("down")).toMatchObject({ code: 0, out: [`Undid ${name}`] });
  });

  it("applies pending migrations in order, once", async () => {
    await write(files);
    expect(await migrate("up")).toEqual({
      code: 0,
      out: [`Applied ${first}`, `Applied ${second}`],
      errors: [],
    });
    expect(await columns()).toEqual(["id", "level"]);
    expect(await migrate("up")).toEqual({
      code: 0,
      out: ["No pending migrations: the database is up to date"],
      errors: [],
    });
  });

  it("undoes one step at a time", async () => {
    await write(files);
    await migrate("up");
    expect((await migrate("down")).out).toEqual([`Undid ${second}`]);
    expect(await columns()).toEqual(["id"]);
    expect((await migrate("down")).out).toEqual([`Undid ${first}`]);
    expect(await columns()).toEqual([]);
    expect((await migrate("down")).out).toEqual(["No migration is applied"]);
  });

  it("shows applied and pending migrations and those of a newer release", async () => {
    await write(files);
    await migrate("up");
    await rm(join(directory, `${second}.sql`));
    await rm(join(directory, `${second}.down.sql`));
    await write({ "0003_later.sql": "SELECT 1;" });
    const { code, out } = await migrate("status");
    expect(code).toBe(0);
    expect(out.map((line) => line.replace(/ {2}\d{4}-.*Z/, " at"))).toEqual([
      `applied  ${first} at`,
      `applied  ${second} at (from a newer release)`,
      "pending  0003_later",
    ]);
    expect((await migrate("up")).out).toEqual([
      "Applied 0003_later",
      `Ignored ${second}: it is from a newer release`,
    ]);
  });

  it("shows the status of a database without migrations and does not change it", async () => {
    await write(files);
    expect((await migrate("status")).out).toEqual([`pending  ${first}`, `pending  ${second}`]);
    expect(await sql()`SELECT to_regclass('schema_migrations') AS made`).toEqual([{ made: null }]);
  });

  it("rolls back a migration whose second statement fails", async () => {
    await write({
      ...files,
      [`${second}.sql`]:
        "ALTER TABLE words ADD COLUMN level text;\n--> statement-breakpoint\nSELECT 1 / 0;",
    });
    expect(await migrate("up")).toEqual({
      code: 1,
      out: [`Applied ${first}`],
      errors: [`${second} failed and was rolled back: division by zero`],
    });
    expect(await columns()).toEqual(["id"]);
    expect(await recorded()).toEqual([first]);
  });

  it("refuses to continue when an applied file has changed", async () => {
    await write(files);
    await migrate("up");
    await write({ [`${first}.sql`]: "CREATE TABLE words (id bigint);" });
    for (const action of ["up", "status"]) {
      expect(await migrate(action)).toEqual({
        code: 1,
        out: [],
        errors: [`${first} was changed after it was applied: restore it and write a new migration`],
      });
    }
  });

  it("undoes nothing when the down file is missing", async () => {
    await write(files);
    await migrate("up");
    await rm(join(directory, `${second}.down.sql`));
    expect(await migrate("down")).toMatchObject({
      code: 1,
      errors: [`${second}.down.sql is missing: nothing was changed`],
    });
    expect(await recorded()).toEqual([first, second]);
  });

  it.each([{ NODE_ENV: "production" }, { VERCEL_ENV: "production" }])(
    "requires --force to undo with %o",
    async (env) => {
      await write(files);
      await migrate("up");
      expect(await migrateOn(database.connectionString, ["down"], env)).toMatchObject({ code: 1 });
      expect(await recorded()).toEqual([first, second]);
      const forced = await migrateOn(database.connectionString, ["down", "--force"], env);
      expect(forced).toMatchObject({ code: 0, out: [`Undid ${second}`] });
    },
  );

  it("applies each migration once when four runners start concurrently", async () => {
    await write({
      ...files,
      [`${second}.sql`]:
        "ALTER TABLE words ADD COLUMN level text;\n--> statement-breakpoint\nSELECT pg_sleep(0.2);",
      ...concurrentIndex,
    });
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => migrate("up")));
    expect(outcomes.map(({ code, errors }) => [code, errors])).toEqual(Array(4).fill([0, []]));
    const applied = outcomes.flatMap(({ out }) => out).filter((line) => line.startsWith("Applied"));
    expect(applied.sort()).toEqual([
      `Applied ${first}`,
      `Applied ${second}`,
      "Applied 0003_index_levels",
    ]);
    expect(await sql()`SELECT count(*)::int AS n FROM words`).toEqual([{ n: 1 }]);
  });

  it("undoes one step once when two runners undo concurrently", async () => {
    await write({
      ...files,
      [`${second}.down.sql`]:
        "ALTER TABLE words DROP COLUMN level;\n--> statement-breakpoint\nSELECT pg_sleep(0.2);",
    });
    await migrate("up");
    await Promise.all([migrate("down"), migrate("down")]);
    const remaining = await recorded();
    expect(await columns()).toEqual(remaining.length === 1 ? ["id"] : []);
  });

  it("applies and undoes a file outside a transaction", async () => {
    await write({ ...files, ...concurrentIndex });
    expect(await migrate("up")).toMatchObject({ code: 0, errors: [] });
    const index = () => sql()`SELECT indisvalid AS valid FROM pg_index
      WHERE indexrelid = to_regclass('words_level')`;
    expect(await index()).toEqual([{ valid: true }]);
    expect((await migrate("down")).out).toEqual(["Undid 0003_index_levels"]);
    expect(await index()).toEqual([]);
    expect(await sql()`SELECT count(*)::int AS n FROM schema_migration_leases`).toEqual([{ n: 0 }]);
  });

  it("rebuilds an index that an earlier attempt left invalid", async () => {
    await write(files);
    await migrate("up");
    await sql()`INSERT INTO words VALUES (2, 'same'), (3, 'same')`;
    await write({
      "0003_unique.sql":
        "-- no transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS words_level_unique ON words (level);",
    });
    expect((await migrate("up")).errors[0]).toMatch(/^0003_unique failed: could not create unique/);
    await sql()`DELETE FROM words WHERE id = 3`;
    expect(await migrate("up")).toMatchObject({ code: 0, out: ["Applied 0003_unique"] });
    expect(
      await sql()`SELECT indisvalid AS valid FROM pg_index
        WHERE indexrelid = 'words_level_unique'::regclass`,
    ).toEqual([{ valid: true }]);
  });

  it("takes over after a runner died in a file outside a transaction", async () => {
    await write(files);
    await migrate("up");
    await sql()`INSERT INTO schema_migration_leases
      VALUES ('0003_index_levels', 'dead', now() + interval '300 milliseconds')`;
    await write(concurrentIndex);
    expect((await migrate("up")).out).toEqual(["Applied 0003_index_levels"]);
  });
});

describe("migration files", () => {
  const nowhere = "postgresql://tester:hidden-password@127.0.0.1:1/test";

  it("are created in pairs with the next number, without a database", async () => {
    await write(files);
    const { code, out } = await migrateOn(nowhere, ["create", "add_users_table"]);
    expect(code).toBe(0);
    expect(out).toHaveLength(3);
    expect((await readdir(directory)).slice(-3)).toEqual([
      "0003_add_users_table.down.sql",
      "0003_add_users_table.sql",
      "head.ts",
    ]);
    expect(await readFile(join(directory, "head.ts"), "utf8")).toContain(
      'migrationHead = "0003_add_users_table";',
    );
  });

  it.each(["AddUsers", "add-users", "../users", "1_users", "a".repeat(61), "add__users"])(
    "are not created with the name %s",
    async (name) => {
      expect(await migrateOn(nowhere, ["create", name])).toMatchObject({ code: 1, out: [] });
      expect(await readdir(directory)).toEqual([]);
    },
  );

  it.each([
    ["0001_own.sql", "BEGIN;\n--> statement-breakpoint\nSELECT 1;", /begin or end a transaction/],
    ["0001_two.sql", "-- no transaction\nA;\n--> statement-breakpoint\nB;", /exactly one/],
    ["0001_once.sql", "-- no transaction\nCREATE INDEX CONCURRENTLY i ON t (a);", /repeatable/],
    ["words.sql", "SELECT 1;", /is not named like/],
    ["0001_a.down.sql", "SELECT 1;", /no matching migration/],
  ])("are refused before any is applied: %s", async (file, text, problem) => {
    await write({ [file]: text });
    const { code, errors } = await migrateOn(nowhere, ["up"]);
    expect(code).toBe(1);
    expect(errors).toEqual([expect.stringMatching(problem)]);
  });

  it("are refused when two have the same number", async () => {
    await write({ "0001_a.sql": "SELECT 1;", "0001_b.sql": "SELECT 1;" });
    expect((await migrateOn(nowhere, ["up"])).errors).toEqual([
      "0001_a.sql and 0001_b.sql have the same number: rename one",
    ]);
  });
});

describe("the migration command", () => {
  it.each([[[]], [["sideways"]], [["up", "now"]], [["down", "--yes"]], [["create"]]])(
    "shows its usage for %j",
    async (args) => {
      const outcome = await migrateOn("postgresql://a:b@127.0.0.1:1/c", args);
      expect(outcome).toEqual({ code: 2, out: [], errors: [expect.stringMatching(/^Usage: /)] });
    },
  );

  it("reports an unreachable database in one line without the password", async () => {
    await write(files);
    const url = `postgresql://tester:hidden-password@127.0.0.1:${await closedPort()}/test`;
    const { code, errors } = await migrateOn(url, ["up"]);
    expect(code).toBe(1);
    expect(errors).toEqual([
      expect.stringMatching(/^The database cannot be reached: .*127\.0\.0\.1/),
    ]);
    expect(errors[0]).not.toMatch(/hidden-password|\n/);
  });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { neonConfig } from "@neondatabase/serverless";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { openPostgres } from "../../dev/stores/open-postgres.js";
import { database } from "../../lib/db/database.js";
import { migrateCommand } from "../../lib/db/migrations/command.js";
import { readEnv } from "../../lib/env.js";
import { installPlatform } from "../../lib/platform/installed.js";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";
import { openSelfHostedStores } from "../../lib/self-hosted/stores.js";
import { createDatabase } from "../support/real-stores.js";

const serverUrl = new URL(process.env.TEST_DATABASE_URL ?? "");
const secret = "a-password-that-nothing-shows";

let created: Awaited<ReturnType<typeof createDatabase>>;
let folder: string;
let name: string;
let server: Server;

// The server may run on another machine, so this test puts its own socket in front of its port.
beforeAll(async () => {
  created = await createDatabase(inject("migrated"));
  name = new URL(created.url).pathname.slice(1);
  folder = mkdtempSync(path.join(tmpdir(), "linguamate-socket-"));
  server = createServer((incoming) => {
    const outgoing = connect(Number(serverUrl.port || 5432), serverUrl.hostname);
    for (const socket of [incoming, outgoing]) socket.on("error", () => {});
    incoming.pipe(outgoing).pipe(incoming);
  }).listen(path.join(folder, ".s.PGSQL.5432"));
  await once(server, "listening");
});
afterAll(async () => {
  server.close();
  await created.drop();
  rmSync(folder, { recursive: true, force: true });
});

// A migration replaces the driver's transport for the whole process.
const { fetchFunction } = neonConfig;
beforeEach(() => {
  neonConfig.fetchFunction = fetchFunction;
});

const user = serverUrl.username;
const forms: [string, (folder: string, name: string) => string][] = [
  ["no host", (at, db) => `postgresql:///${db}?host=${at}&user=${user}&password=${secret}`],
  ["a user and no host", (at, db) => `postgresql://${user}:${secret}@/${db}?host=${at}`],
  ["an escaped host", (at, db) => `postgresql://${user}:${secret}@${encodeURIComponent(at)}/${db}`],
];

describe.each(forms)("a Unix socket URL with %s", (_, form) => {
  it("connects the self-hosted server", async () => {
    const variables = {
      JWT_SECRET: "k7".repeat(32),
      DATABASE_URL: form(folder, name),
      UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9",
      UPSTASH_REDIS_REST_TOKEN: "token",
    };
    const stores = await openSelfHostedStores(readEnv(variables));
    installPlatform(stores.platform);
    expect(stores.descriptions[0]).toBe(`PostgreSQL at ${folder}`);
    const { rows } = await database().execute(sql`select current_database() as name`);
    expect(rows).toEqual([{ name }]);
    await stores.close();
  });

  it("connects the development server, which treats it as local", async () => {
    const opened = await openPostgres(form(folder, name), 2000, () => Promise.reject(new Error()));
    installPlatform({
      postgres: opened.transport,
      redis: { request: () => Promise.reject(new Error()) },
    });
    const { rows } = await database().execute(sql`select current_database() as name`);
    expect(rows).toEqual([{ name }]);
    expect(opened).toMatchObject({
      description: `PostgreSQL (${folder}/${name})`,
      isLocal: true,
    });
    await opened.close();
  });

  it("runs migrations and prints their status", async () => {
    for (const action of ["up", "status"]) {
      const { code, lines } = await migrate(action, form(folder, name));
      expect(code).toBe(0);
      expect(lines.join("\n")).toMatch(/up to date|^applied {2}0001_/);
    }
  });

  it("is named without its password while no server listens", async () => {
    const { code, lines } = await migrate("status", form("/nowhere", name));
    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("/nowhere");
    expect(lines[0]).not.toContain(secret);
  });
});

async function migrate(action: string, connectionString: string) {
  const lines: string[] = [];
  const line = (text: string) => lines.push(text);
  const connection = async () => connectForMigrations({ connectionString });
  const code = await migrateCommand([action], connection, { out: line, error: line });
  return { code, lines };
}

import pg from "pg";
import { describe, expect, inject, it } from "vitest";
import login from "../../api/auth/login.js";
import { readEnv } from "../../lib/env.js";
import { runHealthChecks } from "../../lib/health/health.js";
import { installPlatform } from "../../lib/platform/installed.js";
import { openSelfHostedStores } from "../../lib/self-hosted/stores.js";
import { call } from "../support/call.js";
import { aContext } from "../support/context.js";
import { useEnvironment } from "../support/environment.js";
import { createDatabase } from "../support/real-stores.js";

useEnvironment();

describe("the health of a server started while Postgres was read-only", () => {
  it("passes as soon as new connections can write, without any other call", async () => {
    const database = await createDatabase(inject("migrated"));
    const name = new URL(database.url).pathname.slice(1);
    const setting = "default_transaction_read_only";
    await onServer(`alter database ${name} set ${setting} = on`);
    const stores = await openSelfHostedStores(
      readEnv({
        JWT_SECRET: "k7".repeat(32),
        DATABASE_URL: database.url,
        UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9",
        UPSTASH_REDIS_REST_TOKEN: "token",
      }),
    );
    installPlatform(stores.platform);
    const check = async () =>
      (await runHealthChecks(aContext())).checks["postgres:responseTime"]?.[0];
    const refused = { status: "fail", output: "read-only: writes are refused" };
    expect(await check()).toMatchObject(refused);
    expect(await check()).toMatchObject(refused);
    await onServer(`alter database ${name} reset ${setting}`);
    expect(await check()).toMatchObject({ status: "pass" });
    await stores.close();
    await database.drop();
  });
});

describe("a database that accepts no connections", () => {
  it("is named by the health check, and requests answer 503", async () => {
    const database = await createDatabase(inject("migrated"));
    const name = new URL(database.url).pathname.slice(1);
    const stores = await openSelfHostedStores(
      readEnv({
        JWT_SECRET: "k7".repeat(32),
        DATABASE_URL: database.url,
        UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9",
        UPSTASH_REDIS_REST_TOKEN: "token",
      }),
    );
    installPlatform(stores.platform);
    const body = { email: "ada@example.com", password: "not this", device: { id: "a-device" } };
    const logIn = () => call(login, "POST", { body });
    expect(await logIn()).toMatchObject({ status: 401 });
    await onServer(`alter database ${name} allow_connections false`);
    await onServer(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
    );
    // The first call can still meet a connection that was ended.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await logIn()).toMatchObject({ status: 503, code: "service_unavailable" });
    }
    const { checks } = await runHealthChecks(aContext());
    expect(checks["postgres:responseTime"]).toMatchObject([
      { status: "fail", output: "the database accepts no connections" },
    ]);
    await onServer(`alter database ${name} allow_connections true`);
    expect(await logIn()).toMatchObject({ status: 401 });
    await stores.close();
    await database.drop();
  });
});

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: process.env.TEST_DATABASE_URL });
  await client.connect();
  await client.query(statement);
  await client.end();
}

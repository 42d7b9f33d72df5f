import pg from "pg";
import { describe, expect, inject, it } from "vitest";
import { readEnv } from "../../lib/env.js";
import { runHealthChecks } from "../../lib/health/health.js";
import { installPlatform } from "../../lib/platform/installed.js";
import { openSelfHostedStores } from "../../lib/self-hosted/stores.js";
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

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: process.env.TEST_DATABASE_URL });
  await client.connect();
  await client.query(statement);
  await client.end();
}

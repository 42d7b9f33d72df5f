import { sql } from "drizzle-orm";
import pg from "pg";
import { describe, expect, inject, it, vi } from "vitest";
import * as z from "zod";
import { readEnv } from "../../lib/env.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { installPlatform } from "../../lib/platform/installed.js";
import { openSelfHostedStores } from "../../lib/self-hosted/stores.js";
import { call } from "../support/call.js";
import { setEnvironment, useEnvironment } from "../support/environment.js";
import { createDatabase, openWorkerRedis, workerRedisUrl } from "../support/real-stores.js";

useEnvironment();

/** A route whose statement takes longer than any function runs; `batch` sends it in a transaction. */
const slow = (batch: boolean) =>
  route("/api/test", {
    GET: endpoint({
      summary: "Sleeps.",
      auth: "anonymous",
      limits: [],
      replies: { 200: z.strictObject({}) },
      errors: [],
      async handle({ ctx }) {
        const sleep = ctx.db.execute(sql`select pg_sleep(600)`);
        await (batch ? ctx.db.batch([sleep]) : sleep);
        return {};
      },
    }),
  });

describe("a statement that does not end", () => {
  it.each([false, true])(
    "is cancelled on the server, and its request answers 503 (in a batch: %s)",
    async (batch) => {
      const database = await createDatabase(inject("migrated"));
      const redis = await openWorkerRedis();
      const environment = {
        JWT_SECRET: "k7".repeat(32),
        DATABASE_URL: database.url,
        REDIS_URL: workerRedisUrl(),
      };
      setEnvironment(environment);
      const stores = await openSelfHostedStores(readEnv(environment));
      installPlatform(stores.platform);
      const answer = await call(slow(batch), "GET");
      expect(answer).toMatchObject({ status: 503, code: "service_unavailable" });
      expect(answer.headers.get("retry-after")).toBe("5");
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      await vi.waitFor(
        async () => {
          const { rows } = await client.query(
            "select pid from pg_stat_activity where datname = current_database() and query like '%pg_sleep(600)%' and state = 'active' and pid <> pg_backend_pid()",
          );
          expect(rows).toEqual([]);
        },
        { timeout: 15_000 },
      );
      await client.end();
      await stores.close();
      await redis.close();
      await database.drop();
    },
  );
});

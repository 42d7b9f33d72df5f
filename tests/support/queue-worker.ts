/**
 * A worker process for the queue tests. It runs jobs and sends alert notices with the deployed code until
 * SIGTERM or a kill.
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import * as z from "zod";
import { deliverNotices } from "../../lib/alerts/deliver-notices.js";
import { installPlatform, storeTimeouts } from "../../lib/platform/installed.js";
import { inProcessPostgres } from "../../lib/platform/postgres-transport/in-process.js";
import { inProcessRedis } from "../../lib/platform/redis-transport/in-process.js";
import { defineJob } from "../../lib/queue/job.js";
import { runDue } from "../../lib/queue/run-due.js";
import { entryDone } from "../../lib/queue/settle.js";
import { aContext } from "./context.js";
import { installWaitUntil } from "./wait-until.js";

installWaitUntil();

const [databaseUrl = "", redisUrl = ""] = process.argv.slice(2);

let isOver = false;
process.once("SIGTERM", () => {
  isOver = true;
});

installPlatform({
  postgres: {
    connectionString: databaseUrl,
    fetch: inProcessPostgres(databaseUrl, { deadlineMs: storeTimeouts.postgresMs }).fetch,
  },
  redis: inProcessRedis(redisUrl).requester,
});

/** Writes a row for each job, after a delay in which the process may be killed. */
const write = defineJob({
  name: "write",
  payload: z.strictObject({}),
  async handle(ctx, job) {
    await sleep(Math.random() * 30);
    await ctx.db.batch([
      ctx.db.execute(sql`insert into job_writes (key, pid) values (${job.key}, ${process.pid})`),
      entryDone(ctx, job),
    ]);
    return { end: "done" };
  },
});

while (!isOver) {
  await Promise.all([
    runDue(aContext(), write, performance.now() + 3000),
    deliverNotices(aContext()),
  ]);
  await sleep(20);
}
process.exit(0);

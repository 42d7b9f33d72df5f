/**
 * A worker process for the queue tests. It runs jobs and sends alert notices with the deployed code until
 * SIGTERM or a kill.
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import * as z from "zod";
import { deliverNotices } from "../../lib/alerts/deliver-notices.js";
import { defineJob } from "../../lib/queue/job.js";
import { runDue } from "../../lib/queue/run-due.js";
import { entryDone } from "../../lib/queue/settle.js";
import { aContext } from "./context.js";
import { startWorker } from "./worker-process.js";

const [databaseUrl, redisUrl] = process.argv.slice(2);
const worker = startWorker(databaseUrl, redisUrl);

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

while (!worker.isOver()) {
  await Promise.all([
    runDue(aContext(), write, performance.now() + 3000),
    deliverNotices(aContext()),
  ]);
  await sleep(20);
}
process.exit(0);

import process from "node:process";
import { installPlatform, storeTimeouts } from "../../lib/platform/installed.js";
import { inProcessPostgres } from "../../lib/platform/postgres-transport/in-process.js";
import { inProcessRedis } from "../../lib/platform/redis-transport/in-process.js";
import { installWaitUntil } from "./wait-until.js";

/** Connect this worker process to the stores. `isOver` returns true after SIGTERM. */
export function startWorker(databaseUrl = "", redisUrl = ""): { isOver(): boolean } {
  installWaitUntil();
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
  return { isOver: () => isOver };
}

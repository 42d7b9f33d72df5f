import process from "node:process";
import { installPlatform, storeTimeouts } from "../../lib/platform/installed.js";
import { postgresOverSocket } from "../../lib/platform/postgres-transport/over-socket.js";
import { redisOverSocket } from "../../lib/platform/redis-transport/over-socket.js";
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
      fetch: postgresOverSocket(databaseUrl, { deadlineMs: storeTimeouts.postgresMs }).fetch,
    },
    redis: redisOverSocket(redisUrl).requester,
  });
  return { isOver: () => isOver };
}

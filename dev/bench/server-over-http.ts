import process from "node:process";
import { unmatched } from "../../lib/http/unmatched.js";
import { installPlatform, storeTimeouts } from "../../lib/platform/installed.js";
import { postgresOverHttp } from "../../lib/platform/postgres-transport/over-http.js";
import { redisOverHttp } from "../../lib/platform/redis-transport/over-http.js";
import { readBuiltFunctions } from "../../lib/self-hosted/built-functions.js";
import { startServer } from "../../lib/self-hosted/server/server.js";
import { closeOnSignal } from "../../lib/self-hosted/server/shutdown.js";
import type { StoreEndpoints } from "./stores.js";

/** Serves the built functions of its folder, which reach both stores over HTTP as on the platform. */
const { postgres, redis }: StoreEndpoints = JSON.parse(process.env.BENCH_ENDPOINTS ?? "");
installPlatform({
  postgres: {
    connectionString: postgres.connectionString,
    fetch: postgresOverHttp({ timeoutMs: storeTimeouts.postgresMs, endpoint: postgres.endpoint }),
  },
  redis: redisOverHttp({ ...redis, timeoutMs: storeTimeouts.redisMs }),
});
const routes = await readBuiltFunctions(".vercel/functions");
const server = await startServer({
  port: Number(process.env.PORT),
  routes: () => routes,
  unmatched,
  publicDirectory: ".vercel/output/static",
  trustedProxies: [],
  log: console.error,
});
closeOnSignal(() => server.close());

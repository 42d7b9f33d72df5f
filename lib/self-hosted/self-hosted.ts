import { join } from "node:path";
import process from "node:process";
import { EnvironmentError, env } from "../env.js";
import { unmatched } from "../http/unmatched.js";
import { environmentRead } from "../observability/log-lines/environment.js";
import { errorFields, installLogStream, log } from "../observability/logger.js";
import { installPlatform } from "../platform/installed.js";
import { markRedisStale } from "../redis/stale-redis.js";
import { batchedLog } from "./batched-log.js";
import { readBuiltCrons, readBuiltFunctions } from "./built-functions.js";
import { startCronScheduler } from "./cron-scheduler.js";
import { ensureCronSecret } from "./cron-secret.js";
import { loadEnvFile } from "./env-file.js";
import { explainPortInUse } from "./server/port-in-use.js";
import { startServer } from "./server/server.js";
import { closeOnSignal } from "./server/shutdown.js";
import { openSelfHostedStores, type SelfHostedStores } from "./stores.js";

const output = ".vercel/output";

async function serve(): Promise<void> {
  const environment = env();
  const { port, http, cron } = environment;
  environmentRead(environment);
  const stores = await openSelfHostedStores(environment);
  installPlatform({ ...stores.platform, outlivesRequests: true });
  // The previous process may have stopped while Redis refused writes.
  markRedisStale();
  await migrateEmbedded(stores);
  const [routes, crons] = await Promise.all([
    readBuiltFunctions(".vercel/functions"),
    readBuiltCrons(output),
  ]);
  const logFailure = (message: string, error: unknown) =>
    log("ERROR", { evt: "function_failed", cat: "server", data: errorFields(error) }, message);
  const server = await startServer({
    port,
    routes: () => routes,
    unmatched,
    publicDirectory: join(output, "static"),
    trustedProxies: http.trustedProxies,
    log: logFailure,
  });
  const clock = startCronScheduler({
    crons,
    port: server.port,
    secret: cron.secret,
    log: logFailure,
  });
  const { release } = environment;
  const logOfServer = (evt: string, message: string) =>
    log("NOTICE", { evt, cat: "server", data: { ...release } }, message);
  const close = async () => {
    clock.stop();
    await server.close();
    await stores.close();
    logOfServer("server_stopped", `Stopped release ${release.sha}`);
  };
  closeOnSignal(close);
  exitOnUncaught(close);
  const used = stores.descriptions.join(" and ");
  logOfServer(
    "server_started",
    `Serving ${routes.length} functions of release ${release.sha} on http://localhost:${server.port} over ${used}`,
  );
}

async function migrateEmbedded({ embeddedPostgres }: SelfHostedStores): Promise<void> {
  if (!embeddedPostgres) return;
  const [{ migrateCommand }, { connectForMigrations }] = await Promise.all([
    import("../db/migrations/command.js"),
    import("./migration-connection.js"),
  ]);
  const quiet = { out: () => {}, error: console.error };
  const connect = async () => connectForMigrations(embeddedPostgres);
  if ((await migrateCommand(["up"], connect, quiet)) !== 0) process.exit(1);
}

/** After an uncaught error the state is unknown: stop and let the supervisor restart the process. */
function exitOnUncaught(close: () => Promise<void>): void {
  process.on("unhandledRejection", (reason) => {
    const fields = { evt: "unhandled_rejection", cat: "server", data: errorFields(reason) };
    log("ERROR", fields, "Unhandled promise rejection");
  });
  process.once("uncaughtException", (error) => {
    const fields = { evt: "uncaught_exception", cat: "server", data: errorFields(error) };
    log("FATAL", fields, "Uncaught exception, shutting down");
    setTimeout(() => process.exit(1), 10_000).unref();
    close().finally(() => process.exit(1));
  });
}

installLogStream(batchedLog());
loadEnvFile();
ensureCronSecret();
serve().catch((error) => {
  const known = error instanceof EnvironmentError ? `Error: ${error.message}` : undefined;
  console.error(explainPortInUse(error, () => env().port) ?? known ?? error);
  process.exit(1);
});

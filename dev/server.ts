import process from "node:process";
import { parseArgs } from "node:util";
import { migrateCommand } from "../lib/db/migrate-command.js";
import { EnvironmentError, env } from "../lib/env.js";
import { errorFields, installLogStream, log } from "../lib/observability/logger.js";
import { installPlatform } from "../lib/platform/installed.js";
import { explainPortInUse } from "../lib/platform/port-in-use.js";
import { startServer } from "../lib/platform/server.js";
import { closeOnSignal } from "../lib/platform/shutdown.js";
import { connectForCommand } from "./connect.js";
import { openPlatform } from "./open-platform.js";
import { prettyLog } from "./server/pretty-log.js";
import { watchFunctions } from "./server/source-functions.js";

/** Serve `api/` from source over migrated and seeded stores. */
async function serve({ fresh }: { fresh: boolean }): Promise<void> {
  const { port, http, stores, warnings } = env();
  installLogStream(prettyLog());
  for (const warning of warnings) log("WARN", { evt: "environment", cat: "server" }, warning);

  const open = await openPlatform(stores, { fresh });
  installPlatform(open.platform);
  await migrate();
  const functions = await watchFunctions(process.cwd(), console.error);
  const server = await startServer({
    port,
    routes: functions.routes,
    publicDirectory: "public",
    trustedProxies: http.trustedProxies,
    log: logFailure,
  });
  process.on("unhandledRejection", (reason) => {
    logFailure("A promise was rejected and nobody handled it.", reason);
  });
  closeOnSignal(async () => {
    await Promise.all([server.close(), functions.close()]);
    await open.close();
  });
  open.lost.then(() => {
    console.error("The embedded stores have stopped (.local/stores.log says why).");
    process.exit(1);
  });
  console.log(`
Serving api/ on http://localhost:${server.port}/api/
  Postgres  ${open.postgres}
  Redis     ${open.redis}${open.redisCliArguments ? `: redis-cli ${open.redisCliArguments}` : ""}
`);
}

async function migrate(): Promise<void> {
  const io = { out: console.log, error: console.error };
  if ((await migrateCommand(["up"], connectForCommand, io)) !== 0) process.exit(1);
}

function logFailure(message: string, error: unknown): void {
  log("ERROR", { evt: "function_failed", cat: "server", data: errorFields(error) }, message);
}

const { values } = parseArgs({
  options: { fresh: { type: "boolean", default: false }, port: { type: "string" } },
});
if (values.port) process.env.PORT = values.port;
serve(values).catch((error) => {
  const known = error instanceof EnvironmentError ? `Error: ${error.message}` : undefined;
  console.error(explainPortInUse(error) ?? known ?? error);
  process.exit(1);
});

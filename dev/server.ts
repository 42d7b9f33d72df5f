import { readFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";
import { migrateCommand } from "../lib/db/migrations/command.js";
import { EnvironmentError, env } from "../lib/env.js";
import { unmatched } from "../lib/http/unmatched.js";
import { environmentRead } from "../lib/observability/log-lines/environment.js";
import { errorFields, installLogStream, log } from "../lib/observability/logger.js";
import { installPlatform } from "../lib/platform/installed.js";
import { startCronScheduler } from "../lib/self-hosted/cron-scheduler.js";
import { ensureCronSecret } from "../lib/self-hosted/cron-secret.js";
import { StoresError } from "../lib/self-hosted/embedded-stores/attach.js";
import { explainPortInUse } from "../lib/self-hosted/server/port-in-use.js";
import { startServer } from "../lib/self-hosted/server/server.js";
import { closeOnSignal } from "../lib/self-hosted/server/shutdown.js";
import { readProjectSettings } from "./build/platform-config.js";
import { connectForCommand } from "./connect.js";
import { seedCourses } from "./content/seed-courses.js";
import { openMailbox } from "./mailbox/open-mailbox.js";
import { mailboxPath } from "./mailbox/page.js";
import { type OpenPlatform, openPlatform } from "./open-platform.js";
import { seedAccounts, seededAccounts } from "./seed-accounts.js";
import { prettyLog } from "./server/pretty-log.js";
import { watchFunctions } from "./server/source-functions.js";
import { openToolkit } from "./toolkit/open-toolkit.js";

async function serve({ fresh }: { fresh: boolean }): Promise<void> {
  ensureCronSecret();
  const mailbox = await openMailbox();
  const toolkit = await openToolkit();
  const environment = env();
  const { port, http, stores, cron } = environment;
  installLogStream(prettyLog());
  environmentRead(environment);

  const open = await openPlatform(stores, { fresh });
  installPlatform(open.platform);
  if (open.postgres.isLocal) await prepareDatabase();
  const functions = await watchFunctions(process.cwd(), console.error);
  const server = await startServer({
    port,
    routes: mailbox.withPage(functions.routes),
    unmatched,
    publicDirectory: "public",
    trustedProxies: http.trustedProxies,
    log: logFailure,
  });
  process.on("unhandledRejection", (reason) => {
    logFailure("Unhandled promise rejection", reason);
  });
  const { crons } = readProjectSettings(await readFile("vercel.json", "utf8"));
  const clock = startCronScheduler({
    crons,
    port: server.port,
    secret: cron.secret,
    log: logFailure,
  });
  closeOnSignal(async () => {
    clock.stop();
    await Promise.all([server.close(), functions.close()]);
    await Promise.all([open.close(), mailbox.close(), toolkit.close()]);
  });
  open.lost.then(() => {
    console.error("The embedded stores have stopped: see .local/stores.log.");
    process.exit(1);
  });
  console.log(
    startText(server.port, open, { isMailboxUsed: mailbox.isUsed, toolkit: toolkit.description }),
  );
}

async function prepareDatabase(): Promise<void> {
  const io = { out: console.log, error: console.error };
  if ((await migrateCommand(["up"], connectForCommand, io)) !== 0) process.exit(1);
  const { sql, close } = await connectForCommand();
  await seedAccounts(sql);
  await seedCourses(sql);
  await close();
}

function startText(
  port: number,
  { postgres, redis }: OpenPlatform,
  { isMailboxUsed, toolkit }: { isMailboxUsed: boolean; toolkit: string },
): string {
  const mail = isMailboxUsed
    ? `http://localhost:${port}${mailboxPath}`
    : "sent through Resend (RESEND_API_KEY)";
  const lines = [
    `Serving api/ on http://localhost:${port}/api/`,
    `  Postgres   ${postgres.description}`,
    `  Redis      ${redis.description}`,
    `  Mail       ${mail}`,
    `  Toolkit    ${toolkit}`,
  ];
  if (redis.cliArguments) lines.push(`  Redis CLI  redis-cli ${redis.cliArguments}`);
  if (postgres.isLocal) {
    for (const { email, password } of seededAccounts) {
      lines.push(`  Sign in    ${email}  ${password}`);
    }
  } else {
    lines.push(
      "  Migrate    npm run db:migrate:up (only a local database is migrated automatically)",
    );
  }
  return `\n${lines.join("\n")}\n`;
}

function logFailure(message: string, error: unknown): void {
  log("ERROR", { evt: "function_failed", cat: "server", data: errorFields(error) }, message);
}

function options(): { fresh: boolean } {
  try {
    const { values } = parseArgs({
      options: { fresh: { type: "boolean", default: false }, port: { type: "string" } },
    });
    if (values.port) process.env.PORT = values.port;
    return values;
  } catch (error) {
    console.error(`${(error as Error).message}\nusage: npm run dev:server [-- --fresh] [--port N]`);
    process.exit(2);
  }
}

serve(options()).catch((error) => {
  const isForPeople = error instanceof EnvironmentError || error instanceof StoresError;
  console.error(
    explainPortInUse(error, () => env().port) ?? (isForPeople ? `Error: ${error.message}` : error),
  );
  process.exit(1);
});

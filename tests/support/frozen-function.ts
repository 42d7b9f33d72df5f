/**
 * Runs a function in its own process, like the platform: it serves requests from IPC through the exported
 * `fetch`, and stops itself (SIGSTOP) in the same turn of the event loop in which all work of `waitUntil`
 * has settled.
 */

import process from "node:process";
import * as z from "zod";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { externalCall, propagationHeaders } from "../../lib/observability/external-call.js";
import { installPlatform } from "../../lib/platform/installed.js";
import { postgresOverSocket } from "../../lib/platform/postgres-transport/over-socket.js";
import { redisOverSocket } from "../../lib/platform/redis-transport/over-socket.js";
import { getUser } from "../../lib/user/user.js";
import { resetEnvironment, setDefaults } from "./environment.js";
import { installWaitUntil, settled } from "./wait-until.js";

resetEnvironment();
installWaitUntil();

/** The first message of the parent. */
export interface Setting {
  environment: Record<string, string>;
  databaseUrl: string;
  redisUrl: string;
  toolkitUrl: string;
}

/** A later message: parallel requests. */
export interface Batch {
  token: string;
  traces: string[];
}

let toolkitUrl = "";

const account = route("/api/account", {
  GET: endpoint({
    summary: "The caller's account, with a call to the toolkit.",
    auth: "user",
    limits: [],
    replies: { 200: z.unknown() },
    errors: [],
    handle: async ({ ctx, actor }) => {
      const [user] = await Promise.all([
        getUser(ctx, actor.userId),
        externalCall(ctx, { service: "toolkit", operation: "test" }, async () => {
          await (await fetch(toolkitUrl, { headers: propagationHeaders(ctx) })).text();
        }),
      ]);
      return user;
    },
  }),
});

process.on("message", (message: Setting | Batch) => {
  if ("traces" in message) void answer(message);
  else begin(message);
});

function begin({ environment, databaseUrl, redisUrl, toolkitUrl: url }: Setting): void {
  setDefaults(environment);
  toolkitUrl = url;
  installPlatform({
    postgres: {
      connectionString: databaseUrl,
      fetch: postgresOverSocket(databaseUrl, { deadlineMs: 10_000 }).fetch,
    },
    redis: redisOverSocket(redisUrl).requester,
  });
}

async function answer({ token, traces }: Batch): Promise<void> {
  const waiting = [...traces];
  const worker = async () => {
    for (let trace = waiting.pop(); trace !== undefined; trace = waiting.pop()) {
      const headers = { authorization: `Bearer ${token}`, "sentry-trace": trace };
      const { status } = await account.fetch(
        new Request("http://localhost/api/account", { headers }),
      );
      if (status !== 200) throw new Error(`The function answered ${status}`);
    }
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  await settled();
  process.kill(process.pid, "SIGSTOP");
}

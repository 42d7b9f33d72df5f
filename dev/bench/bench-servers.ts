import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";
import { startResendEndpoint } from "../mailbox/resend-endpoint.js";
import type { Servers } from "./cases.js";
import type { CleanUp } from "./clean-up.js";
import { type Person, registerPerson } from "./person.js";
import { type ServedProcess, type ServerCommand, serve } from "./served-process.js";
import type { BuiltProject, Stage } from "./stage.js";
import type { StoreEndpoints } from "./store-endpoints.js";
import type { BenchStores } from "./stores.js";

/** The servers of a run, all over the same stores and for the same person. */
export interface BenchServers extends Servers {
  person: Person;
  /** Start ours once more, to be asked for what needs both stores. */
  freshServer: ServerCommand;
  /** Start ours with a provider that takes its mail. */
  startWithMail(): Promise<ServedProcess>;
  /** Start ours and the bare one with the HTTP transports to other endpoints. */
  startOverHttp(endpoints: StoreEndpoints): Promise<{ ours: ServedProcess; bare: ServedProcess }>;
}

export async function startServers(
  stage: Stage,
  stores: BenchStores,
  cleanUp: CleanUp,
): Promise<BenchServers> {
  const environment = {
    NODE_ENV: "production",
    JWT_SECRET: randomBytes(48).toString("base64"),
    ACCESS_TOKEN_TTL_SECONDS: "86400",
    // Limits are counted like everybody's, and stop nothing.
    RATE_LIMIT_TRUSTED_IPS: "127.0.0.1",
    // Nothing listens there: the bench reaches nothing outside of this machine.
    EXPO_PUBLIC_TOOLKIT_URL: "http://127.0.0.1:9",
  };
  const start = async (
    { folder, flags }: BuiltProject,
    program: string,
    path: string,
    env: Record<string, string>,
  ): Promise<ServedProcess> => {
    const logFile = join(folder, "server.log");
    const server = await serve({ flags, program, folder, logFile, probe: { path }, env });
    cleanUp.later(server.stop);
    return server;
  };

  const ours = await start(stage.ours, stage.ours.server, "/api/livez", {
    ...environment,
    ...stores.env,
  });
  const withoutEvents = await start(stage.withoutEvents, stage.withoutEvents.server, "/api/livez", {
    ...environment,
    ...stores.env,
  });
  const { sql, close } = connectForMigrations(stores.endpoints.postgres);
  const person = await registerPerson(ours, sql);
  await close();
  const bareEnvironment = {
    ...environment,
    BENCH_USER_ID: person.userId,
    BENCH_SESSION_ID: person.sessionId,
  };
  const bare = await start(stage.bare, stage.bare.server, "/api/user", {
    ...bareEnvironment,
    ...stores.env,
  });
  const startOverHttp = async (endpoints: StoreEndpoints) => {
    const env = { BENCH_ENDPOINTS: JSON.stringify(endpoints) };
    const programs = [stage.ours.serverOverHttp, stage.bare.serverOverHttp] as const;
    return {
      ours: await start(stage.ours, programs[0], "/api/livez", { ...environment, ...env }),
      bare: await start(stage.bare, programs[1], "/api/user", { ...bareEnvironment, ...env }),
    };
  };
  const overHttp = await startOverHttp(stores.endpoints);
  return {
    ours,
    withoutEvents,
    bare,
    oursOverHttp: overHttp.ours,
    bareOverHttp: overHttp.bare,
    person,
    startOverHttp,
    async startWithMail() {
      const mail = await startResendEndpoint("re_of-the-bench");
      cleanUp.later(mail.close);
      return start(stage.ours, stage.ours.server, "/api/livez", {
        ...environment,
        ...stores.env,
        RESEND_API_URL: mail.url,
        RESEND_API_KEY: mail.apiKey,
      });
    },
    freshServer: {
      flags: stage.ours.flags,
      program: stage.ours.server,
      folder: stage.ours.folder,
      env: { ...environment, ...stores.env },
      logFile: join(stage.ours.folder, "fresh.log"),
      probe: { path: "/api/user", headers: { authorization: person.authorization } },
    },
  };
}

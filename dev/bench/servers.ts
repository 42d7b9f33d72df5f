import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { CleanUp } from "./clean-up.js";
import { createPerson } from "./people.js";
import { type Program, startServer } from "./server.js";
import { type BuiltProject, programs, type Stage } from "./stage.js";
import type { BenchStores } from "./stores.js";

export type BenchServers = Awaited<ReturnType<typeof startServers>>;

/** Servers over the same stores, and the person whose account they read. */
export async function startServers(stage: Stage, stores: BenchStores, cleanUp: CleanUp) {
  const env: Record<string, string> = {
    NODE_ENV: "production",
    JWT_SECRET: randomBytes(48).toString("base64"),
    ACCESS_TOKEN_TTL_SECONDS: "86400",
    // Limits count requests from this address, but reject none; other addresses have all limits.
    RATE_LIMIT_TRUSTED_IPS: "127.0.0.1",
    TRUSTED_PROXIES: "127.0.0.1",
    // A closed port: the bench connects to no other machine.
    EXPO_PUBLIC_TOOLKIT_URL: "http://127.0.0.1:9",
    ...stores.env,
  };
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
  const flags = scripts["backend:start"].match(/--\S+/g);
  let probe: Program["probe"] = { path: "/api/livez" };
  const programOf = ({ folder }: BuiltProject, own = {}, file = programs.server): Program => ({
    args: [...flags, file],
    folder,
    env: { ...env, ...own },
    probe,
  });
  const start = (...program: Parameters<typeof programOf>) =>
    startServer(programOf(...program), cleanUp);
  const endpoints = { BENCH_ENDPOINTS: JSON.stringify(stores.endpoints) };

  const ours = await start(stage.ours);
  const person = await createPerson(ours.url, "bench@example.com");
  env.BENCH_USER_ID = person.userId;
  env.BENCH_SESSION_ID = person.sessionId;
  probe = { path: "/api/user", headers: { authorization: person.authorization } };
  return {
    ours,
    withoutEvents: await start(stage.withoutEvents),
    bare: await start(stage.bare),
    oursOverHttp: await start(stage.ours, endpoints, programs.serverOverHttp),
    bareOverHttp: await start(stage.bare, endpoints, programs.serverOverHttp),
    person,
    /** Ours, to be started again. */
    program: programOf(stage.ours),
    startWithMail: (mail: { url: string; apiKey: string }) =>
      start(stage.ours, { RESEND_API_URL: mail.url, RESEND_API_KEY: mail.apiKey }),
  };
}

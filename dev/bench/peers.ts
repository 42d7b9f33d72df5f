import { execFile } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import type { CleanUp } from "./clean-up.js";
import { serverContender } from "./contender.js";
import type { Contender } from "./rounds.js";
import { type ServedProcess, serve } from "./served-process.js";

const run = promisify(execFile);

/** What a team would pick instead (peer), and the least that the same I/O costs (floor). */
export interface Peers {
  withoutStores(connections: number): Contender[];
  signedInRead(connections: number): Contender[];
  login(connections: number): Contender[];
}

/**
 * Install the peers' folder as a copy in `stage` and start its servers over `stores`.
 *
 * It has to hold `better-auth-server.mjs` (with the argument `migrate` it makes its tables) and
 * `floor-server.mjs`, both of which listen on PORT.
 */
export async function startPeers(
  source: string,
  stage: string,
  stores: { DATABASE_URL: string; REDIS_URL: string },
  cleanUp: CleanUp,
): Promise<Peers> {
  const folder = join(stage, "peers");
  await cp(source, folder, {
    recursive: true,
    filter: (path) => !path.endsWith("node_modules"),
  });
  await run("npm", ["install", "--no-audit", "--no-fund"], { cwd: folder });
  const { PATH = "", HOME = "" } = process.env;
  const env = { PATH, HOME, NODE_ENV: "production", ...stores };
  const program = join(folder, "better-auth-server.mjs");
  await run(process.execPath, [program, "migrate"], { cwd: folder, env: { ...env, PORT: "0" } });
  const start = async (file: string) => {
    const server = await serve({
      flags: [],
      program: join(folder, file),
      folder,
      env,
      logFile: join(stage, `${file}.log`),
      probe: { path: "/" },
    });
    cleanUp.later(server.stop);
    return server;
  };
  const peer = await start("better-auth-server.mjs");
  const { cookie, login } = await signUp(peer);
  const floor = await start("floor-server.mjs");
  return {
    withoutStores: (connections) => [
      serverContender("peer", peer, { path: "/", expectedStatus: 200, connections }),
      serverContender("floor", floor, { path: "/", expectedStatus: 200, connections }),
    ],
    signedInRead: (connections) => [
      serverContender("peer", peer, {
        path: "/api/me",
        headers: { cookie },
        expectedStatus: 200,
        connections,
      }),
      serverContender("floor", floor, { path: "/me", expectedStatus: 200, connections }),
    ],
    login: (connections) => [
      serverContender("peer", peer, { ...login, expectedStatus: 200, connections }),
    ],
  };
}

async function signUp(peer: ServedProcess) {
  const account = { email: "bench@example.com", password: "correct horse battery", name: "Bench" };
  const request = {
    method: "POST" as const,
    headers: { "content-type": "application/json", origin: peer.url },
    body: JSON.stringify(account),
  };
  const path = "/api/auth/sign-in/email";
  const signedUp = await fetch(`${peer.url}/api/auth/sign-up/email`, request);
  if (!signedUp.ok) throw new Error(`The peer answered a sign-up with ${signedUp.status}.`);
  const signedIn = await fetch(peer.url + path, request);
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0];
  if (cookie === undefined) throw new Error("The peer's sign-in gave no cookie.");
  const { body, ...rest } = request;
  return { cookie, login: { path, ...rest, bodies: [body] } };
}

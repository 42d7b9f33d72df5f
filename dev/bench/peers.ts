import { execFile } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import type { CleanUp } from "./clean-up.js";
import { password } from "./people.js";
import { type Contender, contender } from "./rounds.js";
import { startServer } from "./server.js";

const run = promisify(execFile);

/**
 * Install and start a copy of the folder `source` in `folder`: `better-auth-server.mjs` (peer) is what a team
 * would choose instead of this backend, `floor-server.mjs` (floor) makes the same calls without checks.
 */
export async function startPeers(
  source: string,
  folder: string,
  stores: Record<string, string>,
  cleanUp: CleanUp,
): Promise<Contender[]> {
  await cp(source, folder, { recursive: true, filter: (path) => !path.endsWith("node_modules") });
  await run("npm", ["install", "--no-audit", "--no-fund"], { cwd: folder });
  const { PATH = "", HOME = "" } = process.env;
  const env = { PATH, HOME, NODE_ENV: "production", ...stores };
  const peerFile = join(folder, "better-auth-server.mjs");
  await run(process.execPath, [peerFile, "migrate"], { cwd: folder, env: { ...env, PORT: "0" } });
  const start = (file: string) =>
    startServer({ args: [join(folder, file)], folder, env, probe: { path: "/" } }, cleanUp);
  const peer = await start("better-auth-server.mjs");
  const floor = await start("floor-server.mjs");

  const request = {
    method: "POST" as const,
    headers: { "content-type": "application/json", origin: peer.url },
  };
  const body = JSON.stringify({ email: "bench@example.com", password, name: "Bench" });
  const signIn = "/api/auth/sign-in/email";
  await fetch(`${peer.url}/api/auth/sign-up/email`, { ...request, body });
  const signedIn = await fetch(peer.url + signIn, { ...request, body });
  const cookie = signedIn.headers.get("set-cookie")?.split(";")[0];
  if (!cookie) throw new Error(`The peer replied ${signedIn.status} to a sign-in.`);
  const login = { path: signIn, ...request, bodies: [body], connections: 8 };
  return [
    contender("GET /api/livez", "peer", peer, { path: "/" }),
    contender("GET /api/livez", "floor", floor, { path: "/" }),
    contender("GET /api/user", "peer", peer, { path: "/api/me", headers: { cookie } }),
    contender("GET /api/user", "floor", floor, { path: "/me" }),
    contender("POST /api/auth/login", "peer", peer, login),
  ];
}

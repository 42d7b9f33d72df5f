import { type Ask, bareArgon2, serverContender } from "./contender.js";
import type { Peers } from "./peers.js";
import { type Person, refreshTokensOfGuests } from "./person.js";
import type { BenchCase } from "./rounds.js";
import type { ServedProcess } from "./served-process.js";

export interface Servers {
  ours: ServedProcess;
  withoutEvents: ServedProcess;
  bare: ServedProcess;
  oursOverHttp: ServedProcess;
  bareOverHttp: ServedProcess;
}

export type Asks = ReturnType<typeof asksOf>;

/** Each password costs a core for a while: more at once would only wait. */
const loginConnections = 8;

/** What is measured of our own endpoints. */
export function asksOf({ authorization, refreshToken, logins }: Person, connections: number) {
  const json = { "content-type": "application/json" };
  return {
    "GET /api/livez": { path: "/api/livez", expectedStatus: 200, connections },
    "GET /api/": { path: "/api/", expectedStatus: 200, connections },
    "GET /api/user": {
      path: "/api/user",
      headers: { authorization },
      expectedStatus: 200,
      connections,
    },
    "GET /api/user, bad token": {
      path: "/api/user",
      headers: { authorization: withOtherSignature(authorization) },
      expectedStatus: 401,
      connections,
    },
    "POST /api/auth/login": {
      path: "/api/auth/login",
      method: "POST",
      headers: json,
      bodies: logins.map((credentials) => JSON.stringify(credentials)),
      expectedStatus: 200,
      connections: loginConnections,
    },
    "POST /api/auth/refresh, bad token": {
      path: "/api/auth/refresh",
      method: "POST",
      headers: json,
      bodies: [JSON.stringify({ refreshToken: withOtherSignature(refreshToken) })],
      expectedStatus: 401,
      connections,
    },
    "GET /api/health": { path: "/api/health", expectedStatus: 200, connections },
  } satisfies Record<string, Ask>;
}

/** Every endpoint with those that do the same work beside it. */
export function benchCases(asks: Asks, servers: Servers, peers: Peers | undefined): BenchCase[] {
  const read = asks["GET /api/user"];
  const beside: Partial<Record<keyof Asks, BenchCase["contenders"]>> = {
    "GET /api/livez": peers?.withoutStores(read.connections) ?? [],
    "GET /api/user": [
      serverContender("bare", servers.bare, read),
      serverContender("without events", servers.withoutEvents, read),
      ...(peers?.signedInRead(read.connections) ?? []),
    ],
    "POST /api/auth/login": [
      bareArgon2(loginConnections),
      ...(peers?.login(loginConnections) ?? []),
    ],
  };
  const cases = (Object.keys(asks) as (keyof Asks)[]).map((name) => ({
    name,
    contenders: [serverContender("ours", servers.ours, asks[name]), ...(beside[name] ?? [])],
  }));
  const overHttp = {
    name: "GET /api/user over HTTP",
    contenders: [
      serverContender("ours", servers.oursOverHttp, read),
      serverContender("bare", servers.bareOverHttp, read),
    ],
  };
  return [...cases, refreshing(servers, read.connections), overHttp];
}

/** Each connection has a session of its own and goes from token to token, for a rotation to be measured. */
function refreshing({ ours, bare }: Servers, connections: number): BenchCase {
  const ask = {
    path: "/api/auth/refresh",
    method: "POST",
    headers: { "content-type": "application/json" },
    expectedStatus: 200,
    connections,
  } satisfies Ask;
  const prepare = async () => ({ refreshTokens: await refreshTokensOfGuests(ours, connections) });
  return {
    name: "POST /api/auth/refresh",
    contenders: [
      serverContender("ours", ours, ask, prepare),
      serverContender("bare", bare, ask, prepare),
    ],
  };
}

/** Well-formed to the last step, so that all the work of refusing it is done. */
function withOtherSignature(token: string): string {
  const signatureAt = token.lastIndexOf(".") + 1;
  return token.slice(0, signatureAt) + [...token.slice(signatureAt)].reverse().join("");
}

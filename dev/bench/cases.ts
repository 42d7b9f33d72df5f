import { shuffle } from "simple-statistics";
import { createPerson, password, type SignedInPerson } from "./people.js";
import { type Ask, type Contender, contender, type Scale } from "./rounds.js";
import type { BenchServers } from "./servers.js";

/** The requests that need no preparation. `emails` are those of the accounts that log in. */
export function asksOf({ person }: BenchServers, emails: string[]) {
  const headers = { "content-type": "application/json" };
  const post = { method: "POST", headers } as const;
  const logins = emails.map((email, index) =>
    // With a device, a login computes one hash.
    JSON.stringify({ email, password, device: { id: `bench-device-${index}` } }),
  );
  const user = { path: "/api/user" };
  const badToken = withOtherSignature(person.authorization);
  const badRefresh = JSON.stringify({ refreshToken: withOtherSignature(person.refreshToken) });
  const refresh = { ...post, path: "/api/auth/refresh" };
  return {
    "GET /api/livez": { path: "/api/livez" },
    "GET /api/user": { ...user, headers: { authorization: person.authorization } },
    "GET /api/user, bad token": { ...user, headers: { authorization: badToken }, status: 401 },
    [noSuchPath]: { path: "/wp-login.php", status: 404 },
    // Each login computes a hash, so that more connections would only wait.
    "POST /api/auth/login": { ...post, path: "/api/auth/login", bodies: logins, connections: 8 },
    "POST /api/auth/refresh, bad token": { ...refresh, bodies: [badRefresh], status: 401 },
    "GET /api/health": { path: "/api/health" },
  } satisfies Record<string, Ask>;
}

/** A scan: no function and no file. */
export const noSuchPath = "GET /wp-login.php";

/** Our calls as one person from one trusted address, next to those of many people. */
export const onePerson = "one person";

/** Case by case, ours first. */
export function contendersOf(
  asks: ReturnType<typeof asksOf>,
  servers: BenchServers,
  people: SignedInPerson[],
  peers: Contender[],
): Contender[] {
  const { ours, bare, withoutEvents, oursOverHttp, bareOverHttp } = servers;
  const [user, login] = ["GET /api/user", "POST /api/auth/login"] as const;
  const [refresh, overHttp] = ["POST /api/auth/refresh", "GET /api/user over HTTP"];
  const { bodies: _, status: __, ...refreshAsk } = asks["POST /api/auth/refresh, bad token"];
  const newSessions = async ({ connections }: Scale) => {
    const people = Array.from({ length: connections }, () => createPerson(ours.url));
    return { refreshTokens: (await Promise.all(people)).map(({ refreshToken }) => refreshToken) };
  };
  const callers = people.map(({ authorization, address }) => ({
    authorization,
    "x-forwarded-for": address,
  }));
  const manyPeople = `${user}, ${people.length.toLocaleString("en")} people`;
  // So that a short load does not always reach the same people.
  const anyCallers = async () => ({ callers: shuffle(callers) });
  const contenders = [
    ...Object.entries(asks).map(([name, ask]) => contender(name, "ours", ours, ask)),
    contender(user, "bare", bare, asks[user]),
    contender(user, "without events", withoutEvents, asks[user]),
    contender(manyPeople, "ours", ours, { path: "/api/user" }, anyCallers),
    contender(manyPeople, onePerson, ours, asks[user]),
    contender(login, "bare", bare, asks[login]),
    contender(refresh, "ours", ours, refreshAsk, newSessions),
    contender(refresh, "bare", bare, refreshAsk, newSessions),
    contender(overHttp, "ours", oursOverHttp, asks[user]),
    contender(overHttp, "bare", bareOverHttp, asks[user]),
    ...peers,
  ];
  const names = contenders.map(({ caseName }) => caseName);
  return contenders.toSorted((a, b) => names.indexOf(a.caseName) - names.indexOf(b.caseName));
}

/** Everything else is valid, so that the request is rejected at the last check. */
function withOtherSignature(token: string): string {
  const start = token.lastIndexOf(".") + 1;
  return token.slice(0, start) + [...token.slice(start)].reverse().join("");
}

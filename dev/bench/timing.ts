import { shuffle, wilcoxonRankSum } from "simple-statistics";
import { createAccounts, createPerson, newAddresses, password, type Sql } from "./people.js";
import type { Server } from "./server.js";

interface Operation {
  server: Server;
  path: string;
  status: number;
  /** Default: the address. */
  body?(email: string): object;
  headers?: Record<string, string>;
  /** The address is sent first, and the time is that of another request after it. */
  isNext?: boolean;
}

/** Its times do distinguish, which shows that the measurement works. */
export const control = "control: a login that hashes only for known addresses";

/**
 * How well the reply times of each request distinguish known from unknown addresses: the area under the
 * ROC curve, from 0.5 (not at all) to 1 (always).
 */
export async function measureTimings(
  { ours, bare }: Record<"ours" | "bare", Server>,
  mailing: Server,
  sql: Sql,
  pairs: number,
  log: (progress: string) => void,
): Promise<Record<string, number>> {
  const login = {
    path: "/api/auth/login",
    status: 401,
    body: (email: string) => ({ email, password: "not the password" }),
  };
  const register = {
    path: "/api/auth/register",
    status: 201,
    body: (email: string) => ({ email, password, name: "Bench", acceptedTerms: true }),
  };
  const forgot = { path: "/api/auth/forgot-password", status: 202 };
  const { authorization } = await createPerson(ours.url, newAddresses(1)[0]);
  const change = { path: "/api/auth/change-email", status: 202, headers: { authorization } };
  const operations: Record<string, Operation> = {
    "POST /api/auth/login": { server: ours, ...login },
    "POST /api/auth/register": { server: ours, ...register },
    "POST /api/auth/change-email": { server: ours, ...change },
    "POST /api/auth/forgot-password": { server: mailing, ...forgot },
    "the next request after it": { server: mailing, ...forgot, isNext: true },
    [control]: { server: bare, ...login },
  };
  const aucs: Record<string, number> = {};
  for (const [request, operation] of Object.entries(operations)) {
    log(request);
    const known = (await createAccounts(sql, pairs)).map((email) => ({ email, isKnown: true }));
    const unknown = newAddresses(pairs).map((email) => ({ email, isKnown: false }));
    const times = { known: [] as number[], unknown: [] as number[] };
    // In random order, because the work after a reply affects the next request.
    for (const { email, isKnown } of shuffle([...known, ...unknown])) {
      if (operation.isNext) await timed(operation, email);
      const subject = operation.isNext ? (newAddresses(1)[0] ?? "") : email;
      times[isKnown ? "known" : "unknown"].push(await timed(operation, subject));
    }
    const auc = areaUnderCurve(times.known, times.unknown);
    aucs[request] = Math.max(auc, 1 - auc);
  }
  return aucs;
}

async function timed({ server, path, status, ...more }: Operation, email: string): Promise<number> {
  const { body = () => ({ email }), headers } = more;
  const request = {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body(email)),
  };
  const startedAt = performance.now();
  const reply = await fetch(server.url + path, request);
  await reply.arrayBuffer();
  if (reply.status !== status) throw new Error(`${path} replied ${reply.status}.`);
  return performance.now() - startedAt;
}

/** The probability that a value of `a` is larger than one of `b`. */
export function areaUnderCurve(a: number[], b: number[]): number {
  return (wilcoxonRankSum(a, b) - (a.length * (a.length + 1)) / 2) / (a.length * b.length);
}

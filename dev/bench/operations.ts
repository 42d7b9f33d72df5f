import { randomUUID } from "node:crypto";
import type { NeonQueryFunction } from "@neondatabase/serverless";
import type { Servers } from "./cases.js";
import type { Operation } from "./likeness.js";
import { register } from "./person.js";
import type { ServedProcess } from "./served-process.js";

const knownAddresses = 20;
const password = "correct horse battery staple";

/** Every call that must answer known and unknown addresses alike, and one that is known not to. */
export async function likeOperations(
  { ours, bare }: Servers,
  mailing: ServedProcess,
  sql: NeonQueryFunction<false, false>,
  pairs: number,
): Promise<Operation[]> {
  const address = () => `likeness-${randomUUID()}@example.com`;
  const known = await inTurn(knownAddresses, async () => {
    const email = address();
    await register(ours, { email, password });
    return email;
  });
  await sql`update users set email = claimed_email, claimed_email = null
    where claimed_email = any(${known})`;
  const forgotten = {
    url: `${mailing.url}/api/auth/forgot-password`,
    expectedStatus: 202,
    request: (email: string) => ({ body: { email } }),
  };
  const askedOnce = async () => ({
    isControl: false,
    known: await bound(sql, Array.from({ length: pairs }, address)),
    unknown: Array.from({ length: pairs }, address),
  });
  // As many, for a second call about an address costs another time than the first one.
  const unknown = Array.from({ length: knownAddresses }, address);
  const tokenOf = async (email: string) =>
    `Bearer ${(await register(ours, { email, password })).accessToken}`;
  const somebody = await tokenOf(address());
  const claimers = {
    known: await inTurn(knownAddresses, (index) => tokenOf(known[index] ?? "")),
    unknown: await inTurn(knownAddresses, () => tokenOf(address())),
  };
  const at = (path: string) => ({ isControl: false, url: ours.url + path, known, unknown });
  const wrongPassword = (email: string) => ({ body: { email, password: "not the password" } });
  return [
    {
      operation: "POST /api/auth/login",
      ...at("/api/auth/login"),
      expectedStatus: 401,
      request: wrongPassword,
    },
    {
      operation: "POST /api/auth/register",
      ...at("/api/auth/register"),
      expectedStatus: 201,
      request: (email) => ({ body: { email, password, name: "Bench", acceptedTerms: true } }),
    },
    {
      operation: "POST /api/auth/forgot-password",
      ...at("/api/auth/forgot-password"),
      expectedStatus: 202,
      request: (email) => ({ body: { email } }),
    },
    {
      operation: "POST /api/auth/forgot-password, for the first time, with mail",
      ...(await askedOnce()),
      ...forgotten,
    },
    {
      operation: "the call right after it",
      ...(await askedOnce()),
      ...forgotten,
      before: forgotten,
      request: () => ({ body: { email: address() } }),
    },
    {
      operation: "POST /api/auth/verify-email/resend",
      ...at("/api/auth/verify-email/resend"),
      ...claimers,
      expectedStatus: 202,
      request: (authorization) => ({ body: {}, headers: { authorization } }),
    },
    {
      operation: "POST /api/auth/change-email",
      ...at("/api/auth/change-email"),
      expectedStatus: 202,
      request: (email) => ({ body: { email }, headers: { authorization: somebody } }),
    },
    {
      operation: "a login that hashes for known addresses only",
      ...at("/api/auth/login"),
      isControl: true,
      url: `${bare.url}/api/auth/login`,
      expectedStatus: 401,
      request: wrongPassword,
    },
  ];
}

/** Make accounts with these addresses, without a password: a thousand hashes would take a minute. */
async function bound(sql: NeonQueryFunction<false, false>, emails: string[]): Promise<string[]> {
  await sql`insert into users (id, email, name)
    select gen_random_uuid(), email, 'Bench' from unnest(${emails}::text[]) as email`;
  return emails;
}

async function inTurn<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let index = 0; index < count; index++) made.push(await make(index));
  return made;
}

import { randomUUID } from "node:crypto";
import type { NeonQueryFunction } from "@neondatabase/serverless";
import { hashPassword } from "../../lib/auth/password/password.js";

export type Sql = NeonQueryFunction<false, false>;

export const password = "correct horse battery staple";

export function newAddresses(count: number): string[] {
  return Array.from({ length: count }, () => `${randomUUID()}@example.com`);
}

/** Accounts with verified addresses. One hash for all, because hashes take time. */
export async function createAccounts(sql: Sql, count: number): Promise<string[]> {
  const emails = newAddresses(count);
  const hash = await hashPassword(password);
  await sql`insert into users (id, email, name, password_hash)
    select gen_random_uuid(), email, 'Bench', ${hash} from unnest(${emails}::text[]) as email`;
  return emails;
}

/** Someone who is signed in and calls from an IP address of their own. */
export interface SignedInPerson {
  authorization: string;
  refreshToken: string;
  address: string;
}

/** Guests, each of whom signs up from their own address: the server must have 127.0.0.1 in TRUSTED_PROXIES. */
export async function signUp(serverUrl: string, count: number): Promise<SignedInPerson[]> {
  const people: SignedInPerson[] = [];
  const worker = async () => {
    for (let index = people.length; people.length < count; index = people.length) {
      const address = addressOf(index);
      const person = { address, authorization: "", refreshToken: "" };
      people.push(person);
      const { authorization, refreshToken } = await createPerson(serverUrl, undefined, address);
      Object.assign(person, { authorization, refreshToken });
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return people;
}

/** Of the network 100.64.0.0/10, which no real client has. */
export const addressOf = (index: number) =>
  `100.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;

/** Register an account with this e-mail address, which is only claimed, or a guest. `address` is the caller's. */
export async function createPerson(serverUrl: string, email?: string, address?: string) {
  const url = `${serverUrl}/api/auth/${email ? "register" : "guest"}`;
  const account = email ? { email, password, name: "Bench", acceptedTerms: true } : {};
  const reply = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...(address && { "x-forwarded-for": address }) },
    body: JSON.stringify(account),
  });
  if (reply.status !== 201) throw new Error(`${url} replied ${reply.status}.`);
  const { user, sessionId, accessToken, refreshToken } = (await reply.json()) as {
    user: { id: string };
    sessionId: string;
    accessToken: string;
    refreshToken: string;
  };
  return { userId: user.id, sessionId, authorization: `Bearer ${accessToken}`, refreshToken };
}

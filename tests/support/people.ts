import { randomUUID } from "node:crypto";
import guest from "../../api/auth/guest.js";
import register from "../../api/auth/register.js";
import type { TokenPair } from "../../lib/auth/token/token-pair.js";
import { call } from "./call.js";
import type { Stores } from "./stores.js";

export const password = "correct horse battery";

export interface Person extends TokenPair {
  email: string;
  password: string;
  deviceId: string;
}

/** Register a user on a new device. */
export async function aUser(overrides: Record<string, unknown> = {}): Promise<Person> {
  const email = `learner-${randomUUID()}@example.com`;
  const deviceId = randomUUID();
  const { status, body } = await call(register, "POST", {
    body: {
      email,
      password,
      name: "Ada",
      acceptedTerms: true,
      device: { id: deviceId },
      ...overrides,
    },
    ip: anAddress(),
  });
  if (status !== 201) throw new Error(`Registration returned ${status}: ${JSON.stringify(body)}`);
  return { ...(body as TokenPair), email, password, deviceId };
}

/** Create users one after the other, because parallel password hashing has limited capacity. */
export async function someUsers(count: number): Promise<Person[]> {
  const people: Person[] = [];
  while (people.length < count) people.push(await aUser());
  return people;
}

/** Create a guest on a new device. */
export async function aGuest(overrides: Record<string, unknown> = {}): Promise<TokenPair> {
  const { status, body } = await call(guest, "POST", {
    body: { device: { id: randomUUID() }, ...overrides },
    ip: anAddress(),
  });
  if (status !== 201)
    throw new Error(`Creating a guest returned ${status}: ${JSON.stringify(body)}`);
  return body as TokenPair;
}

/** A random IP address that no rate limit has counted yet. */
export const anAddress = () => `10.${byte()}.${byte()}.${byte()}`;

/** Bind the claimed e-mail address of a user, as after verification. */
export async function bindEmail(stores: Stores, { user }: TokenPair): Promise<void> {
  await stores.sql(
    "update users set email = coalesce(email, claimed_email), claimed_email = null where id = $1",
    user.id,
  );
}

/** Create a user with a bound e-mail address, without sending mail. */
export async function aBoundUser(
  stores: Stores,
  overrides: Record<string, unknown> = {},
): Promise<Person> {
  const person = await aUser(overrides);
  await bindEmail(stores, person);
  return person;
}

/** Give a user experience points. */
export async function earn(stores: Stores, { user }: TokenPair, points: number): Promise<void> {
  await stores.sql(
    `insert into xp_entries (user_id, kind, fact, xp, local_date, earned_at, revision)
      values ($1, 'test', gen_random_uuid()::text, $2, current_date, now(), 1)`,
    user.id,
    String(points),
  );
}

const byte = () => Math.floor(Math.random() * 256);

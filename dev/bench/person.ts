import type { NeonQueryFunction } from "@neondatabase/serverless";
import type { ServedProcess } from "./served-process.js";

/** A signed-in person of the bench. */
export interface Person {
  /** Of other accounts. */
  logins: Credentials[];
  userId: string;
  sessionId: string;
  authorization: string;
  refreshToken: string;
}

/** So many that a round's logins hardly ever make an older session of theirs give way. */
const loginAccounts = 256;

/** Register the person whom all servers are asked about, and those who do nothing but log in. */
export async function registerPerson(
  server: Pick<ServedProcess, "url">,
  sql: NeonQueryFunction<false, false>,
): Promise<Person> {
  const password = "correct horse battery staple";
  const logins = Array.from({ length: loginAccounts }, (_, index) => ({
    email: `bench-login-${index}@example.com`,
    password,
    // A login that names a device computes one hash.
    device: { id: `bench-device-${index}` },
  }));
  for (const credentials of logins) await register(server, credentials);
  // The sign-ins to an address that is only claimed stay counted.
  await sql`update users set email = claimed_email, claimed_email = null
    where claimed_email = any(${logins.map(({ email }) => email)})`;
  const { user, sessionId, accessToken, refreshToken } = await register(server, {
    email: "bench@example.com",
    password,
  });
  return {
    logins,
    userId: user.id,
    sessionId,
    authorization: `Bearer ${accessToken}`,
    refreshToken,
  };
}

interface Credentials {
  email: string;
  password: string;
  device?: { id: string };
}

interface SignedIn {
  user: { id: string };
  sessionId: string;
  accessToken: string;
  refreshToken: string;
}

export function register(
  server: Pick<ServedProcess, "url">,
  credentials: Credentials,
): Promise<SignedIn> {
  const body = { ...credentials, name: "Bench", acceptedTerms: true };
  return signedIn(`${server.url}/api/auth/register`, body);
}

/** The refresh tokens of new guests, each with a session that nobody else uses. */
export function refreshTokensOfGuests(
  server: Pick<ServedProcess, "url">,
  count: number,
): Promise<string[]> {
  const guests = Array.from({ length: count }, async () => {
    const { refreshToken } = await signedIn(`${server.url}/api/auth/guest`, {});
    return refreshToken;
  });
  return Promise.all(guests);
}

async function signedIn(url: string, body: unknown): Promise<SignedIn> {
  const reply = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (reply.status !== 201) throw new Error(`${url} answered ${reply.status}.`);
  return (await reply.json()) as SignedIn;
}

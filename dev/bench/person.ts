import type { ServedProcess } from "./served-process.js";

/** A signed-in person of the bench. */
export interface Person {
  credentials: { email: string; password: string };
  userId: string;
  sessionId: string;
  authorization: string;
}

/** Register somebody at a server. */
export async function registerPerson(server: Pick<ServedProcess, "url">): Promise<Person> {
  const credentials = { email: "bench@example.com", password: "correct horse battery staple" };
  const reply = await fetch(`${server.url}/api/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...credentials, name: "Bench", acceptedTerms: true }),
  });
  if (reply.status !== 201) throw new Error(`Registration was answered with ${reply.status}.`);
  const { user, sessionId, accessToken } = (await reply.json()) as {
    user: { id: string };
    sessionId: string;
    accessToken: string;
  };
  return { credentials, userId: user.id, sessionId, authorization: `Bearer ${accessToken}` };
}

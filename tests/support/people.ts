import { randomUUID } from "node:crypto";
import register from "../../api/auth/register.js";
import type { TokenPair } from "../../lib/auth/token-pair.js";
import { call } from "./call.js";

export const password = "correct horse battery";

export interface Person extends TokenPair {
  email: string;
  password: string;
  deviceId: string;
}

/** Somebody new, signed in on a device of their own. */
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
    ip: `2001:db8:${hex()}:${hex()}::1`,
  });
  if (status !== 201) throw new Error(`Registration answered ${status}: ${JSON.stringify(body)}`);
  return { ...(body as TokenPair), email, password, deviceId };
}

const hex = () => Math.floor(Math.random() * 65_536).toString(16);

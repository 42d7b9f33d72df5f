import type { NeonQueryFunction } from "@neondatabase/serverless";
import { hashPassword } from "../lib/auth/password/password.js";

export interface SeededAccount {
  email: string;
  password: string;
  role: "user" | "admin";
}

/** Development accounts with a confirmed address. Their passwords are public. */
export const seededAccounts: SeededAccount[] = [
  { email: "learner@example.com", password: "learn-a-language", role: "user" },
  { email: "admin@example.com", password: "run-the-backend", role: "admin" },
];

/** Create the missing accounts. Safe to repeat. */
export async function seedAccounts(sql: NeonQueryFunction<false, false>): Promise<void> {
  const emails = seededAccounts.map(({ email }) => email);
  const present = await sql`select email from users where email = any(${emails})`;
  const missing = seededAccounts.filter((account) =>
    present.every((row) => row.email !== account.email),
  );
  for (const { email, password, role } of missing) {
    const passwordHash = await hashPassword(password);
    const [name = email] = email.split("@");
    await sql`
      insert into users (id, email, password_hash, role, name, onboarding_completed)
      values (gen_random_uuid(), ${email}, ${passwordHash}, ${role}, ${name}, true)
      on conflict (email) do nothing`;
  }
}

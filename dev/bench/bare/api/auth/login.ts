import { neon, neonConfig } from "@neondatabase/serverless";
import { verify } from "@node-rs/argon2";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/neon-http";
import { users } from "../../../../../lib/db/schema/accounts.js";
import { platform } from "../../../../../lib/platform/installed.js";

/** A login as it must not be: it works for known addresses only, so that its time tells them. */
const { postgres } = platform();
neonConfig.fetchFunction = postgres.fetch;
const db = drizzle(neon(postgres.connectionString));

export default {
  async fetch(request: Request): Promise<Response> {
    const { email, password } = (await request.json()) as { email: string; password: string };
    const [user] = await db.select().from(users).where(eq(users.email, email));
    const isRight = user?.passwordHash ? await verify(user.passwordHash, password) : false;
    return new Response(null, { status: isRight ? 200 : 401 });
  },
};

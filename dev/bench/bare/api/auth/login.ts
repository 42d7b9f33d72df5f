import { verify } from "@node-rs/argon2";
import { eq } from "drizzle-orm";
import { users } from "../../../../../lib/db/schema/accounts.js";
import { db } from "../../stores.js";

/** The minimum for a login: a query and a hash. Its time reveals known addresses. */
export default {
  async fetch(request: Request): Promise<Response> {
    const { email, password } = (await request.json()) as { email: string; password: string };
    const [user] = await db.select().from(users).where(eq(users.email, email));
    const isRight = user?.passwordHash ? await verify(user.passwordHash, password) : false;
    return new Response(null, { status: isRight ? 200 : 401 });
  },
};

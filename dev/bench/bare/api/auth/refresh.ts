import { eq, sql } from "drizzle-orm";
import { sessions } from "../../../../../lib/db/schema/accounts.js";
import { db, roundTrip } from "../../stores.js";

const rotate = db
  .update(sessions)
  .set({ refreshCounter: sql`${sessions.refreshCounter} + 1`, rotatedAt: sql`now()` })
  .where(eq(sessions.id, sql.placeholder("id")))
  .returning()
  .prepare("rotate");

/** The minimum for `POST /api/auth/refresh`: its two calls, and JSON. No schema, signature, checks, headers or log. */
export default {
  async fetch(request: Request): Promise<Response> {
    const { refreshToken } = (await request.json()) as { refreshToken: string };
    const id = refreshToken.split(".")[2];
    await roundTrip(`refresh:session:${id}`).exists(`session:${id}`, `known-session:${id}`).exec();
    const [session] = await rotate.execute({ id });
    return session
      ? Response.json({ refreshToken, ...session })
      : new Response(null, { status: 500 });
  },
};

import { eq, sql } from "drizzle-orm";
import { users } from "../../../../lib/db/schema/accounts.js";
import { db, roundTrip } from "../stores.js";

const { BENCH_USER_ID = "", BENCH_SESSION_ID = "" } = process.env;
const userById = db
  .select()
  .from(users)
  .where(eq(users.id, sql.placeholder("id")))
  .prepare("user_by_id");

/** The minimum for `GET /api/user`: its two calls. No token, parsing, checks, headers or log. */
export default {
  async fetch(): Promise<Response> {
    const [, , , session] = await roundTrip(
      `default:session:${BENCH_SESSION_ID}`,
      `user:${BENCH_USER_ID}`,
    )
      .hmget(`session:${BENCH_SESSION_ID}`, "user", "role", "created", "expires")
      .exec();
    const [user] = await userById.execute({ id: BENCH_USER_ID });
    return session && user ? Response.json(user) : new Response(null, { status: 500 });
  },
};

import { neon, neonConfig } from "@neondatabase/serverless";
import { eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/neon-http";
import { users } from "../../../../lib/db/schema/accounts.js";
import { platform } from "../../../../lib/platform/installed.js";
import { plainRedis } from "../plain-redis.js";

/**
 * The least that `GET /api/user` can cost: its two calls, through the same clients and transports, and
 * nothing else. No token, no parsing, no checks, no headers, no log.
 */
const { postgres } = platform();
const { BENCH_USER_ID = "", BENCH_SESSION_ID = "" } = process.env;

neonConfig.fetchFunction = postgres.fetch;
const { pipeline, limiterSha, windowMs } = await plainRedis();
const userById = drizzle(neon(postgres.connectionString))
  .select()
  .from(users)
  .where(eq(users.id, sql.placeholder("id")))
  .prepare("user_by_id");

export default {
  async fetch(): Promise<Response> {
    const window = Math.floor(Date.now() / windowMs);
    const [, , session] = await pipeline(`user:${BENCH_USER_ID}`)
      .hmget(`session:${BENCH_SESSION_ID}`, "user", "role", "created", "expires")
      .evalsha(
        limiterSha,
        [`rate:default:session:${BENCH_SESSION_ID}:${window}`],
        [100, windowMs, 1],
      )
      .exec();
    const [user] = await userById.execute({ id: BENCH_USER_ID });
    return session && user ? Response.json(user) : new Response(null, { status: 500 });
  },
};

import { neon, neonConfig } from "@neondatabase/serverless";
import { Ratelimit } from "@upstash/ratelimit";
import { Redis } from "@upstash/redis";
import { eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/neon-http";
import { users } from "../../../../lib/db/schema.js";
import { platform } from "../../../../lib/platform/installed.js";

/**
 * The least that `GET /api/user` can cost: its two calls, through the same clients and transports, and
 * nothing else. No token, no parsing, no checks, no headers, no log.
 */
class PlainRedis extends Redis {
  protected override opts = { automaticDeserialization: false };
}

const { redis: requester, postgres } = platform();
const { BENCH_USER_ID = "", BENCH_SESSION_ID = "" } = process.env;
const windowMs = 60_000;

neonConfig.fetchFunction = postgres.fetch;
const redis = new PlainRedis(requester);
const limiterSha = await redis.scriptLoad(await limiterScript());
const userById = drizzle(neon(postgres.connectionString))
  .select()
  .from(users)
  .where(eq(users.id, sql.placeholder("id")))
  .prepare("user_by_id");

export default {
  async fetch(): Promise<Response> {
    const window = Math.floor(Date.now() / windowMs);
    const [, session] = await redis
      .pipeline()
      .hmget("gate", "generation")
      .hmget(`session:${BENCH_SESSION_ID}`, "user", "role", "expires")
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

/** The text of the limiter's script, which the package does not export: it sends it after a NOSCRIPT. */
async function limiterScript(): Promise<string> {
  let text = "";
  const recorder = {
    async evalsha() {
      throw new Error("NOSCRIPT");
    },
    async eval(script: string) {
      text = script;
      return [1, 1];
    },
  };
  await new Ratelimit({
    redis: recorder as unknown as Redis,
    limiter: Ratelimit.fixedWindow(1, `${windowMs} ms`),
    ephemeralCache: false,
    timeout: 0,
  }).limit("anyone");
  return text;
}

import { neon, neonConfig } from "@neondatabase/serverless";
import { eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/neon-http";
import { sessions } from "../../../../../lib/db/schema/accounts.js";
import { platform } from "../../../../../lib/platform/installed.js";
import { plainRedis } from "../../plain-redis.js";

/**
 * The least that `POST /api/auth/refresh` can cost: its two calls, and reading and writing JSON. No
 * schema, no signature, no decision, no headers, no log.
 */
const { postgres } = platform();
const { pipeline, limiterSha, windowMs } = await plainRedis();
neonConfig.fetchFunction = postgres.fetch;
const rotate = drizzle(neon(postgres.connectionString))
  .update(sessions)
  .set({ refreshCounter: sql`${sessions.refreshCounter} + 1`, rotatedAt: sql`now()` })
  .where(eq(sessions.id, sql.placeholder("id")))
  .returning()
  .prepare("rotate");

export default {
  async fetch(request: Request): Promise<Response> {
    const { refreshToken } = (await request.json()) as { refreshToken: string };
    const id = refreshToken.split(".")[2];
    const window = Math.floor(Date.now() / windowMs);
    await pipeline()
      .exists(`session:${id}`, `known-session:${id}`)
      .evalsha(limiterSha, [`rate:refresh:session:${id}:${window}`], [60, windowMs, 1])
      .exec();
    const [session] = await rotate.execute({ id });
    return session
      ? Response.json({ refreshToken, ...session })
      : new Response(null, { status: 500 });
  },
};

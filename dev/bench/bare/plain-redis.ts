import { Ratelimit } from "@upstash/ratelimit";
import { Redis } from "@upstash/redis";
import { platform } from "../../../lib/platform/installed.js";

class PlainRedis extends Redis {
  protected override opts = { automaticDeserialization: false };
}

const windowMs = 60_000;
const gate = ["revokeAllBefore", "flags", "breaker:toolkit", "lastDrain"];

/** Upstash's client over our transport, and the limiter's script by its name. */
export async function plainRedis() {
  const redis = new PlainRedis(platform().redis);
  const limiterSha = await redis.scriptLoad(await limiterScript());
  /** A round trip that begins with what every request asks for: the gate, and who is blocked. */
  const pipeline = (...members: string[]) =>
    redis
      .pipeline()
      .hmget("gate", ...gate)
      .smismember("blocks", ["mirror", ...members]);
  return { pipeline, limiterSha, windowMs };
}

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

import { describe, expect, it } from "vitest";
import { readEnv } from "../../../lib/env.js";
import { openSelfHostedStores } from "../../../lib/self-hosted/stores.js";

const postgres = { DATABASE_URL: "postgresql://app:secret@127.0.0.1:1/app" };
const neon = { DATABASE_URL: "postgresql://app:secret@ep-cool.eu-central-1.aws.neon.tech/app" };
const redis = { REDIS_URL: "redis://:secret@127.0.0.1:1/0" };
const upstash = {
  UPSTASH_REDIS_REST_URL: "https://eu1.upstash.io",
  UPSTASH_REDIS_REST_TOKEN: "secret",
};
const production = { NODE_ENV: "production", JWT_SECRET: "k7".repeat(32) };

async function open(environment: Record<string, string>) {
  let attached = 0;
  const stores = await openSelfHostedStores(
    readEnv({ JWT_SECRET: "k7".repeat(32), ...environment }),
    async () => {
      attached += 1;
      return {
        pid: 1,
        postgres: {
          connectionString: "postgresql://a:b@localhost/c",
          endpoint: "http://127.0.0.1:1",
        },
        redis: { url: "http://127.0.0.1:1", token: "t" },
        detach: () => {
          attached -= 1;
        },
      };
    },
  );
  const wasAttached = attached;
  await stores.close();
  return { descriptions: stores.descriptions, wasAttached, attached };
}

describe("the stores of the self-hosted server", () => {
  it.each([
    [
      "real servers",
      { ...postgres, ...redis },
      ["PostgreSQL at 127.0.0.1:1", "Redis at 127.0.0.1:1"],
      0,
    ],
    [
      "the vendors",
      { ...neon, ...upstash },
      ["Neon at ep-cool.eu-central-1.aws.neon.tech", "Upstash at eu1.upstash.io"],
      0,
    ],
    ["embedded ones when none is configured", {}, ["embedded Postgres", "embedded Redis"], 1],
    ["one of each", { ...postgres }, ["PostgreSQL at 127.0.0.1:1", "embedded Redis"], 1],
    [
      "embedded ones in production when asked for",
      { ...production, EMBEDDED_STORES: "true" },
      ["embedded Postgres", "embedded Redis"],
      1,
    ],
  ])("are %s", async (_, environment, descriptions, wasAttached) => {
    expect(await open(environment)).toEqual({ descriptions, wasAttached, attached: 0 });
  });

  it.each([
    ["nothing in production", production, /^DATABASE_URL and REDIS_URL \(or UPSTASH/],
    ["no Redis in production", { ...production, ...neon }, /^REDIS_URL \(or UPSTASH/],
    ["no Postgres in production", { ...production, ...redis }, /^DATABASE_URL required/],
    ["two kinds of Redis", { ...redis, ...upstash }, /^REDIS_URL and UPSTASH_REDIS_REST_URL/],
  ])("reject %s with a message", async (_, environment, message) => {
    await expect(open(environment)).rejects.toThrow(message);
  });
});

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Redis } from "@upstash/redis";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { redisOverHttp } from "../../lib/platform/redis-transport/over-http.js";
import { type AttachedStores, attachStores } from "../../lib/self-hosted/embedded-stores/attach.js";
import { storesLock } from "../../lib/self-hosted/embedded-stores/lock.js";
import { connectForMigrations } from "../../lib/self-hosted/migration-connection.js";
import { putEmbeddedPostgres } from "../support/snapshots.js";

const program = [join(inject("builtProject"), ".vercel/self-hosted/embedded-stores.mjs")];
let directory: string;
let attached: AttachedStores[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "stores-"));
  putEmbeddedPostgres(directory);
  attached = [];
});
afterEach(async () => {
  await detachAll();
  rmSync(directory, { recursive: true });
});

async function attach(options: { fresh?: boolean } = {}): Promise<AttachedStores> {
  const stores = await attachStores({ directory, program, ...options });
  attached.push(stores);
  return stores;
}

/** Detach from the stores and wait until the owner process has closed them. */
async function detachAll(): Promise<void> {
  for (const stores of attached) stores.detach();
  await vi.waitFor(() => listen(storesLock(directory).port), { timeout: 10_000 });
}

function listen(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(port, "127.0.0.1", () => server.close(() => resolve()));
  });
}

function redisOf({ redis }: AttachedStores): Redis {
  return new Redis(redisOverHttp({ ...redis, timeoutMs: 5000 }));
}

describe("the owner process of the embedded stores", () => {
  it("is shared by two callers that start it at the same time", async () => {
    const [one, other] = await Promise.all([attach(), attach()]);

    expect(one.pid).not.toBe(process.pid);
    expect(one.pid).toBe(other.pid);
    await redisOf(one).set("greeting", "hello");
    expect(await redisOf(other).get("greeting")).toBe("hello");
  });

  it("keeps everything except sessions after a kill, and also sessions after a clean stop", async () => {
    const killed = await attach();
    const written = connectForMigrations(killed.postgres).sql;
    await written`create table notes (text text)`;
    await written`insert into notes values ('kept')`;
    const pipeline = redisOf(killed).pipeline();
    pipeline
      .set("kept", "yes")
      .hset("gate", { revokeAllBefore: 1 })
      .hset("session:abc", { user: "u" });
    await pipeline.exec();
    const file = join(directory, "redis.json");
    await vi.waitFor(() => expect(readFileSync(file, "utf8")).toContain("session:abc"));

    process.kill(killed.pid, "SIGKILL");
    await killed.lost;

    const next = await attach();
    expect(next.redisWasClean).toBe(false);
    expect(await connectForMigrations(next.postgres).sql`select text from notes`).toEqual([
      { text: "kept" },
    ]);
    expect(await redisOf(next).keys("*")).toEqual(["kept"]);

    await redisOf(next).hset("session:abc", { user: "u" });
    await detachAll();
    const last = await attach();
    expect(last.redisWasClean).toBe(true);
    expect((await redisOf(last).keys("*")).sort()).toEqual(["kept", "session:abc"]);
  });

  it("empties the stores when a caller asks for fresh ones", async () => {
    const full = await attach();
    await connectForMigrations(full.postgres).sql`create table notes (text text)`;
    await redisOf(full).set("greeting", "hello");
    await detachAll();

    const fresh = await attach({ fresh: true });

    expect(await redisOf(fresh).keys("*")).toEqual([]);
    const { sql } = connectForMigrations(fresh.postgres);
    expect(await sql`select to_regclass('notes') as notes`).toEqual([{ notes: null }]);
  }, 60_000);
});

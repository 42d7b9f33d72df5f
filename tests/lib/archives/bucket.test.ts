import { randomBytes } from "node:crypto";
import S3rver from "s3rver";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FaultProxy, startFaultProxy } from "../../../dev/fault-proxy.js";
import { type S3Endpoint, startS3Endpoint } from "../../../dev/s3-endpoint.js";
import { collect, once } from "../../../lib/archives/digest.js";
import type { ArchiveStore } from "../../../lib/archives/store/archive-store.js";
import { bucketStore } from "../../../lib/archives/store/bucket.js";
import { useFolders } from "../../support/backups.js";

const partBytes = 64 * 1024;
const open = (endpoint: string, bucket = "backups", timeoutMs = 2000) =>
  bucketStore(`s3://${bucket}/linguamate`, {
    partBytes,
    timeoutMs,
    client: {
      endpoint,
      region: "us-east-1",
      credentials: { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
    },
  });

let s3: S3Endpoint;
let proxy: FaultProxy;
let store: ArchiveStore;
let clock = new Date();

beforeEach(async () => {
  clock = new Date();
  s3 = await startS3Endpoint(() => clock);
  proxy = await startFaultProxy(s3.url);
  store = open(proxy.url);
});
afterEach(async () => {
  await proxy.close();
  await s3.close();
});

const name = "dump/20261130T020000Z-1f2e3d4c.age";
const large = randomBytes(5 * partBytes + 17);
async function* chunked(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}
const isStored = async () => (await collect(store.get(name))).equals(large);
const nothingIsLeft = () => expect([s3.objects.size, s3.uploads.size]).toEqual([0, 0]);

describe("a bucket", () => {
  it.each([0, 1, partBytes - 1, partBytes, partBytes + 1, 3 * partBytes])(
    "keeps %d bytes",
    async (length) => {
      const bytes = large.subarray(0, length);
      await store.put(name, chunked(bytes));
      expect((await collect(store.get(name))).equals(bytes)).toBe(true);
      expect(await store.find(name)).toMatchObject({ name, bytes: length });
      expect(s3.uploads.size).toBe(0);
    },
  );

  it("lists all pages of a folder, and no other program's objects", async () => {
    for (const one of ["dump/c", "dump/a", "dump/b", "base/a"]) await store.put(one, once(one));
    s3.objects.set("backups/other/dump/a", {
      body: Buffer.alloc(0),
      modifiedAt: clock,
      metadata: {},
    });
    expect((await store.list("dump/")).map((object) => object.name)).toEqual([
      ...["dump/a", "dump/b", "dump/c"],
    ]);
    await store.remove("dump/a");
    await store.remove("dump/a");
    expect(await store.find("dump/a")).toBeUndefined();
    await expect(collect(store.get("dump/a"))).rejects.toThrow("dump/a is not in s3://backups");
  });

  it("has nothing of a body that failed", async () => {
    async function* failing() {
      yield* chunked(large);
      throw new Error("pg_dump failed");
    }
    await expect(store.put(name, failing())).rejects.toThrow("pg_dump failed");
    nothingIsLeft();
  });

  it("removes uploads that were interrupted long ago, and not those of other programs", async () => {
    const upload = { metadata: {}, parts: new Map(), initiatedAt: clock };
    s3.uploads.set("ours", { ...upload, key: `backups/linguamate/${name}` });
    s3.uploads.set("theirs", { ...upload, key: "backups/linguamate/photos/1" });
    s3.uploads.set("elsewhere", { ...upload, key: "backups/other/dump/1" });
    expect(await store.removeUnfinished(clock)).toBe(0);
    expect(await store.removeUnfinished(new Date(clock.getTime() + 1))).toBe(1);
    expect([...s3.uploads.keys()]).toEqual(["theirs", "elsewhere"]);
  });
});

const isPart = (_: unknown, call: { path: string }) => call.path.includes("partNumber=2");
const isCompletion = (_: unknown, { method, path }: { method: string; path: string }) =>
  method === "POST" && path.includes("uploadId=");
const passing = [
  ["a connection that is cut", "reset"],
  ["a lost reply", "lose-reply"],
  ["a 503", "unavailable"],
  ["a part that is damaged on the way", "alter"],
] as const;

describe("an upload", { timeout: 60_000 }, () => {
  it.each(passing)("survives %s", async (_, kind) => {
    await proxy.set({ kind, times: 2, match: isPart });
    await store.put(name, chunked(large));
    await proxy.reset();
    expect(await isStored()).toBe(true);
    expect(s3.uploads.size).toBe(0);
  });

  it("survives a slow connection", async () => {
    await proxy.set({ kind: "latency", ms: 50 });
    await store.put(name, chunked(large));
    await proxy.reset();
    expect(await isStored()).toBe(true);
  });

  it("survives a server that does not answer once", async () => {
    await proxy.set({ kind: "hang", times: 1, match: isPart });
    await store.put(name, chunked(large));
    await proxy.reset();
    expect(await isStored()).toBe(true);
  });

  it("is complete when only the reply to its completion is lost", async () => {
    await proxy.set({ kind: "lose-reply", times: 1, match: isCompletion });
    await store.put(name, chunked(large));
    await proxy.reset();
    expect(await isStored()).toBe(true);
  });

  it("is not taken for an earlier object of the same name and size", async () => {
    await store.put(name, chunked(large));
    await proxy.set({ kind: "unavailable", match: isCompletion });
    await expect(store.put(name, chunked(large))).rejects.toThrow("s3://backups/linguamate");
  });

  it.each(["reset", "unavailable", "alter"] as const)(
    "that keeps failing (%s) leaves no object and no parts",
    async (kind) => {
      await proxy.set({ kind, match: isPart });
      await expect(store.put(name, chunked(large))).rejects.toThrow("s3://backups/linguamate");
      nothingIsLeft();
    },
  );

  it("that cannot even be aborted is removed by its age", async () => {
    await proxy.set({
      kind: "reset",
      match: (_, { method, path }) => method === "DELETE" || path.includes("partNumber=2"),
    });
    await expect(store.put(name, chunked(large))).rejects.toThrow();
    await proxy.reset();
    expect(s3.uploads.size).toBe(1);
    await store.removeUnfinished(new Date(clock.getTime() + 1));
    nothingIsLeft();
  });
});

describe("a download", { timeout: 60_000 }, () => {
  it("continues after the connection was cut in the middle", async () => {
    await store.put(name, chunked(large));
    await proxy.set({ kind: "cut-reply", times: 3, match: (_, { method }) => method === "GET" });
    expect(await isStored()).toBe(true);
  });

  it("continues after it stalled in the middle", async () => {
    await store.put(name, chunked(large));
    await proxy.set({ kind: "stall-reply", times: 2, match: (_, { method }) => method === "GET" });
    expect(await isStored()).toBe(true);
  });

  it("that keeps stalling fails, and says so", async () => {
    store = open(proxy.url, "backups", 500);
    await store.put(name, chunked(large));
    await proxy.set({ kind: "stall-reply", match: (_, { method }) => method === "GET" });
    await expect(collect(store.get(name))).rejects.toThrow(
      /s3:\/\/backups\/linguamate refused or did not answer: .*no data for 0.5 s/,
    );
  });

  it("is not ended while its reader is busy", async () => {
    store = open(proxy.url, "backups", 500);
    await store.put(name, chunked(large));
    const chunks: Uint8Array[] = [];
    proxy.calls.length = 0;
    for await (const chunk of store.get(name)) {
      if (chunks.length === 0) await new Promise((resolve) => setTimeout(resolve, 1000));
      chunks.push(chunk);
    }
    expect(Buffer.concat(chunks).equals(large)).toBe(true);
    expect(proxy.calls).toHaveLength(1);
  });

  it("fails when the object is replaced in the middle", async () => {
    await store.put(name, chunked(large));
    await proxy.set({ kind: "cut-reply", times: 1, match: (_, { method }) => method === "GET" });
    const reading = store.get(name);
    await reading.next();
    await open(s3.url).put(name, chunked(randomBytes(large.length)));
    await expect(collect(reading)).rejects.toThrow("PreconditionFailed");
  });
});

describe("another implementation of S3", () => {
  const folder = useFolders();

  it("accepts the signatures, and gives back what it has", { timeout: 60_000 }, async () => {
    const server = new S3rver({
      port: 0,
      silent: true,
      directory: folder(),
      configureBuckets: [{ name: "backups", configs: [] }],
    });
    const { port } = await server.run();
    store = open(`http://127.0.0.1:${port}`);
    await store.put(name, chunked(large));
    await store.put("dump/small", once("small"));
    expect(await isStored()).toBe(true);
    expect((await store.list("dump/")).map((object) => object.name)).toEqual([name, "dump/small"]);
    await store.remove("dump/small");
    expect(await store.find("dump/small")).toBeUndefined();
    await server.close();
  });
});

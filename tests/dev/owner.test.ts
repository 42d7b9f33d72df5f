import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { attachStores } from "../../lib/self-hosted/embedded-stores/attach.js";
import { storesLock } from "../../lib/self-hosted/embedded-stores/lock.js";
import { ownStores } from "../../lib/self-hosted/embedded-stores/owner.js";

const state = {
  pid: process.pid,
  postgres: {
    connectionString: "postgresql://u:p@localhost/db",
    endpoint: "http://127.0.0.1:1/sql",
  },
  redis: { url: "http://127.0.0.1:2", token: "t" },
  respPort: 3,
  redisWasClean: true,
};

let directory: string;
let events: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "owner-"));
  events = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function open(_directory: string, { fresh }: { fresh: boolean }) {
  events.push(fresh ? "open empty" : "open");
  return {
    state,
    async close() {
      events.push("close");
    },
  };
}

async function owner(patienceMs?: number) {
  const owner = await ownStores(directory, open, patienceMs);
  if (!owner) throw new Error("The directory is owned already.");
  return owner;
}

describe("the owner of a directory of stores", () => {
  it("is one, also of two who start at the same moment", async () => {
    const both = await Promise.all([ownStores(directory, open), ownStores(directory, open)]);

    expect(both.filter(Boolean)).toHaveLength(1);
    await Promise.all(both.map((one) => one?.close()));
  });

  it("opens for the first holder and closes after the last", async () => {
    const { closed } = await owner();
    const [one, other] = await Promise.all([
      attachStores({ directory }),
      attachStores({ directory }),
    ]);
    expect(one).toMatchObject(state);
    expect(events).toEqual(["open"]);

    one.detach();
    const third = await attachStores({ directory });
    other.detach();
    expect(events).toEqual(["open"]);

    third.detach();
    await closed;
    expect(events).toEqual(["open", "close"]);
  });

  it("frees the directory for the next owner", async () => {
    const first = await owner();
    (await attachStores({ directory })).detach();
    await first.closed;

    const second = await owner();
    await second.close();
  });

  it("keeps the secrets in a file for its user alone, for as long as they are valid", async () => {
    const { stateFile } = storesLock(directory);
    const { closed } = await owner();
    const stores = await attachStores({ directory });
    expect(statSync(stateFile).mode & 0o777).toBe(0o600);

    stores.detach();
    await closed;
    expect(existsSync(stateFile)).toBe(false);
  });

  it("empties the stores when the first holder asks for fresh ones", async () => {
    const running = await owner();

    await attachStores({ directory, fresh: true });

    expect(events).toEqual(["open empty"]);
    await running.close();
  });

  it("does not empty stores that somebody holds", async () => {
    const running = await owner();
    await attachStores({ directory });

    await expect(attachStores({ directory, fresh: true })).rejects.toThrow("are in use");

    expect(events).toEqual(["open"]);
    await running.close();
  });

  it("gives up when nobody comes", async () => {
    const { closed } = await owner(20);

    await closed;

    expect(events).toEqual([]);
  });

  it("tells every holder when it stops", async () => {
    const running = await owner();
    const stores = await attachStores({ directory });

    await running.close();

    await stores.lost;
  });

  it("says why the stores did not open", async () => {
    const running = await ownStores(directory, () => Promise.reject(new Error("disk full")));

    await expect(attachStores({ directory })).rejects.toThrow("disk full");

    await running?.closed;
  });

  it("names the port when another program sits on the lock", async () => {
    const stranger = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n"));
    await new Promise<void>((done) => {
      stranger.listen(storesLock(directory).port, "127.0.0.1", done);
    });

    await expect(attachStores({ directory })).rejects.toThrow(/used by another program/);

    stranger.close();
  });
});

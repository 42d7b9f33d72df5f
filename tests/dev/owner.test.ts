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

async function owner(attachTimeoutMs?: number) {
  const owner = await ownStores(directory, open, attachTimeoutMs);
  if (!owner) throw new Error("The directory already has an owner.");
  return owner;
}

describe("the owner of a store directory", () => {
  it("is unique when two processes start at the same time", async () => {
    const both = await Promise.all([ownStores(directory, open), ownStores(directory, open)]);

    expect(both.filter(Boolean)).toHaveLength(1);
    await Promise.all(both.map((one) => one?.close()));
  });

  it("opens the stores for the first client and closes them after the last", async () => {
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

  it("releases the directory for the next owner", async () => {
    const first = await owner();
    (await attachStores({ directory })).detach();
    await first.closed;

    const second = await owner();
    await second.close();
  });

  it("keeps the secrets in a file that only its user can read, and deletes it on close", async () => {
    const { stateFile } = storesLock(directory);
    const { closed } = await owner();
    const stores = await attachStores({ directory });
    expect(statSync(stateFile).mode & 0o777).toBe(0o600);

    stores.detach();
    await closed;
    expect(existsSync(stateFile)).toBe(false);
  });

  it("empties the stores when the first client asks for fresh ones", async () => {
    const running = await owner();

    await attachStores({ directory, fresh: true });

    expect(events).toEqual(["open empty"]);
    await running.close();
  });

  it("does not empty stores that another client uses", async () => {
    const running = await owner();
    await attachStores({ directory });

    await expect(attachStores({ directory, fresh: true })).rejects.toThrow("are in use");

    expect(events).toEqual(["open"]);
    await running.close();
  });

  it("closes when no client attaches in time", async () => {
    const { closed } = await owner(20);

    await closed;

    expect(events).toEqual([]);
  });

  it("notifies every client when it stops", async () => {
    const running = await owner();
    const stores = await attachStores({ directory });

    await running.close();

    await stores.lost;
  });

  it("reports why the stores did not open", async () => {
    const running = await ownStores(directory, () => Promise.reject(new Error("disk full")));

    await expect(attachStores({ directory })).rejects.toThrow("disk full");

    await running?.closed;
  });

  it("reports that another program uses the port of the lock", async () => {
    const otherProgram = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n"));
    await new Promise<void>((done) => {
      otherProgram.listen(storesLock(directory).port, "127.0.0.1", done);
    });

    await expect(attachStores({ directory })).rejects.toThrow(/used by another program/);

    otherProgram.close();
  });
});

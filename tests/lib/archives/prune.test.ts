import { utimesSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { openBackupKeys } from "../../../lib/archives/backup-keys.js";
import { once } from "../../../lib/archives/digest.js";
import { listBackups, type Manifest, writeManifest } from "../../../lib/archives/manifest.js";
import { prune } from "../../../lib/archives/prune.js";
import type { ArchiveStore } from "../../../lib/archives/store/archive-store.js";
import { folderStore } from "../../../lib/archives/store/folder.js";
import { storedWal } from "../../../lib/archives/wal.js";
import { backupKey, backupKeys, otherKey, useFolders } from "../../support/backups.js";

const folder = useFolders();
const now = new Date("2026-11-30T12:00:00Z");
const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000);
let root: string;
let store: ArchiveStore;
beforeEach(() => {
  root = folder();
  store = folderStore(root);
});

/** As if it had been stored when it was taken. */
function age(name: string, at: Date) {
  utimesSync(join(root, name), at, at);
}

async function backup(
  kind: Manifest["kind"],
  days: number,
  startSegment = 0,
  { systemId = "1", keys = backupKeys } = {},
): Promise<string> {
  const createdAt = daysAgo(days);
  const id = `${createdAt.toISOString().replace(/[-:]|\.\d+/g, "")}-00000000`;
  const common = {
    format: 1,
    id,
    createdAt: createdAt.toISOString(),
    release: "r",
    postgres: "15.20",
    database: "d",
    keyId: keys.id,
    bytes: 1,
    sha256: "0".repeat(64),
    plainSha256: "0".repeat(64),
  } as const;
  await store.put(`${kind}/${id}.age`, once("x"));
  const startWal = `0/${(startSegment * 0x1000000 + 0x28).toString(16).toUpperCase()}`;
  const base = { systemId, timeline: 1, startWal, endWal: startWal, segmentBytes: 0x1000000 };
  const manifest: Manifest =
    kind === "base"
      ? { ...common, kind, ...base }
      : { ...common, kind, migrationHead: null, rows: {} };
  await writeManifest(store, keys, manifest);
  for (const extension of ["age", "json"]) age(`${kind}/${id}.${extension}`, createdAt);
  return id;
}

const segments = (count: number) =>
  Array.from(
    { length: count },
    (_, n) => `0000000100000000${n.toString(16).toUpperCase().padStart(8, "0")}`,
  );
async function putWal(systemId: string, ...names: string[]) {
  for (const name of names) await store.put(`wal/${systemId}/${name}.age`, once("x"));
}
let warnings: string[];
beforeEach(() => {
  warnings = [];
});
const contextAt = (at: Date, keys = backupKeys) => ({
  store,
  keys,
  now: () => at,
  warn: (text: string) => void warnings.push(text),
});
const pruned = async (at = now) => (await prune(contextAt(at))).backups.map(({ id }) => id);
const left = async () => (await listBackups(store, backupKeys)).complete.map(({ id }) => id);

describe("prune", () => {
  it("deletes dumps older than 30 days", async () => {
    const ids: string[] = [];
    for (const days of [40, 31, 30, 29, 1, 0]) ids.push(await backup("dump", days));
    expect(await pruned()).toEqual(ids.slice(0, 2));
    expect(await left()).toEqual(ids.slice(2));
    expect(await pruned()).toEqual([]);
  });

  it("keeps the three newest whatever their age, when backups have stopped", async () => {
    for (const days of [400, 300, 200]) await backup("dump", days);
    expect(await pruned()).toEqual([]);
  });

  it("measures from the newest backup, so that a clock that is ahead deletes nothing", async () => {
    for (const days of [20, 15, 10, 5, 0]) await backup("dump", days);
    expect(await pruned(new Date("2036-01-01T00:00:00Z"))).toEqual([]);
  });

  it("does not trust the time of a backup that was taken with a wrong clock", async () => {
    for (const days of [20, 15, 10, 5]) await backup("dump", days);
    const wrong = await backup("dump", -3000);
    for (const extension of ["age", "json"]) age(`dump/${wrong}.${extension}`, now);
    expect(await pruned(daysAgo(-3000))).toEqual([]);
  });

  it("keeps the base backup from which the oldest moment of the 30 days is recovered, and its WAL", async () => {
    const ids: string[] = [];
    const bases: [number, number][] = [
      [45, 2],
      [35, 4],
      [25, 6],
      [15, 8],
      [0, 10],
    ];
    for (const [days, segment] of bases) ids.push(await backup("base", days, segment));
    const wal = segments(12);
    await putWal("1", ...wal, "00000002.history", `${wal[2]}.partial`);
    expect(await pruned()).toEqual(ids.slice(0, 1));
    expect(await storedWal(store, "1")).toEqual([...wal.slice(4), "00000002.history"]);
  });

  it("judges the WAL of each server by its own base backups", async () => {
    for (const [days, segment] of [
      [90, 2],
      [80, 4],
      [3, 6],
    ] as const) {
      await backup("base", days, segment, { systemId: "1" });
    }
    for (const [days, segment] of [
      [2, 1],
      [1, 2],
      [0, 3],
    ] as const) {
      await backup("base", days, segment, { systemId: "2" });
    }
    const wal = segments(8);
    for (const systemId of ["1", "2", "3"]) await putWal(systemId, ...wal);
    await pruned();
    expect(await storedWal(store, "1")).toEqual(wal.slice(4));
    expect(await storedWal(store, "2")).toEqual(wal.slice(1));
    expect(await storedWal(store, "3")).toEqual(wal);
  });

  it("deletes no WAL while a backup cannot be read, and says so", async () => {
    const otherKeys = await openBackupKeys([otherKey]);
    const unreadable = await backup("base", 20, 2, { keys: otherKeys });
    for (const days of [2, 1, 0]) await backup("base", days, 8);
    await putWal("1", ...segments(9));
    await pruned();
    expect(await storedWal(store, "1")).toHaveLength(9);
    expect(warnings.join()).toContain(`base/${unreadable}.json needs the key ${otherKeys.id}`);
    const both = await openBackupKeys([backupKey, otherKey]);
    await prune(contextAt(now, both));
    expect(await storedWal(store, "1")).toHaveLength(7);
  });

  it("deletes no WAL without a base backup", async () => {
    await putWal("1", "000000010000000000000001");
    await backup("dump", 0);
    await pruned();
    expect(await storedWal(store, "1")).toHaveLength(1);
  });

  it("removes archives without a manifest, but not while they may still be written", async () => {
    await backup("dump", 0);
    await store.put("dump/20261130T100000Z-11111111.age", once("x"));
    await store.put("dump/20261128T100000Z-22222222.age", once("x"));
    age("dump/20261130T100000Z-11111111.age", daysAgo(0.5));
    age("dump/20261128T100000Z-22222222.age", daysAgo(2));
    await pruned();
    expect((await listBackups(store, backupKeys)).incomplete.map(({ name }) => name)).toEqual([
      "dump/20261130T100000Z-11111111.age",
    ]);
  });

  it("changes nothing as a dry run", async () => {
    for (const days of [40, 3, 2, 1]) await backup("dump", days);
    const { backups } = await prune(contextAt(now), { dryRun: true });
    expect(backups).toHaveLength(1);
    expect(await left()).toHaveLength(4);
  });
});

import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { BaseManifest } from "../../../lib/archives/manifest.js";
import { pathToMoment, recoverableSince } from "../../../lib/archives/recovery-path.js";
import { folderStore } from "../../../lib/archives/store/folder.js";
import { shipWal } from "../../../lib/archives/wal.js";
import { backupKeys, useFolders } from "../../support/backups.js";

const folder = useFolders();
let root: string;
let spool: string;
beforeEach(() => {
  root = folder();
  spool = folder();
});

const segment = (number: number, timeline = 1) => `0000000${timeline}00000000${hex(number)}`;
const hex = (number: number) => number.toString(16).toUpperCase().padStart(8, "0");
const stores = () => ({ store: folderStore(root), keys: backupKeys });
const since = (...bases: BaseManifest[]) => recoverableSince(stores(), bases);

function base(day: number, start: number, { systemId = "1", timeline = 1 } = {}): BaseManifest {
  const position = `0/${(start * 0x1000000 + 0x28).toString(16).toUpperCase()}`;
  return {
    format: 1,
    kind: "base",
    id: `2026110${day}T000000Z-00000000`,
    createdAt: at(day).toISOString(),
    release: "r",
    postgres: "15.20",
    database: "d",
    keyId: backupKeys.id,
    bytes: 1,
    sha256: "0".repeat(64),
    plainSha256: "0".repeat(64),
    systemId,
    timeline,
    startWal: position,
    endWal: position,
    segmentBytes: 0x1000000,
  };
}
const at = (day: number) => new Date(`2026-11-0${day}T00:00:00Z`);

/** With the header of a first page that names the server 1. */
async function ship(segments: string[], history?: [name: string, text: string]) {
  const page = Buffer.alloc(40);
  page.writeUInt16LE(2, 2);
  page.writeBigUInt64LE(1n, 24);
  for (const name of segments) writeFileSync(join(spool, name), page);
  if (history) writeFileSync(join(spool, history[0]), history[1]);
  await shipWal(stores(), spool);
}
const lose = (name: string) => rmSync(join(root, `wal/1/${name}.age`));

describe("the time since when every moment can be restored", () => {
  it("is that of the oldest base backup after which no WAL is missing", async () => {
    const bases = [base(1, 1), base(2, 3), base(3, 5)];
    expect(await since()).toBeUndefined();
    await ship([1, 2, 3, 4, 5, 6].map((number) => segment(number)));
    expect(await since(...bases)).toEqual(at(1));
    lose(segment(2));
    expect(await since(...bases)).toEqual(at(2));
    lose(segment(5));
    expect(await since(...bases)).toBeUndefined();
  });

  it("is not that of another server", async () => {
    await ship([1, 2, 3].map((number) => segment(number)));
    expect(await since(base(1, 1, { systemId: "2" }), base(2, 2))).toEqual(at(2));
  });

  it("goes on over a new timeline, but not from a base backup after its beginning", async () => {
    const history = ["00000002.history", "1\t0/3000028\tbefore\n"] as const;
    await ship(
      [...[1, 2, 3, 4].map((number) => segment(number)), segment(3, 2), segment(4, 2)],
      [...history],
    );
    const later = base(3, 4, { timeline: 2 });
    expect(await since(base(1, 1), later)).toEqual(at(1));
    expect(await since(base(2, 4), later)).toEqual(at(3));
    lose("00000002.history");
    expect(await since(base(1, 1), later)).toEqual(at(3));
  });
});

describe("the path to a moment after an earlier restore", () => {
  const abandoned = base(2, 4);
  const bases = [base(1, 1), abandoned, base(5, 6, { timeline: 2 })];
  const pathTo = async (moment: string, from = bases) => {
    const found = await pathToMoment(stores(), from, new Date(`2026-11-0${moment}Z`));
    return found && [found.base.id, found.path.end, found.path.segments.length];
  };
  const first = base(1, 1).id;

  /** The restore to a moment in segment 3 was on the third day, at noon. */
  beforeEach(async () => {
    const left = [1, 2, 3, 4, 5].map((number) => segment(number));
    const lived = [3, 4, 5, 6, 7].map((number) => segment(number, 2));
    await ship([...left, ...lived], ["00000002.history", "1\t0/3000028\tbefore\n"]);
    const store = (names: string[], time: string) => {
      const storedAt = new Date(`2026-11-0${time}Z`);
      for (const name of names) utimesSync(join(root, `wal/1/${name}.age`), storedAt, storedAt);
    };
    store(left, "3T12:00:00");
    store(lived, "6T00:00:00");
  });

  it("passes by a base backup of the timeline that was left", async () => {
    expect(await pathTo("4T00:00:00")).toEqual([first, 2, 7]);
    expect(await pathTo("4T00:00:00", bases.slice(0, 2))).toEqual([first, 2, 7]);
    expect(await pathTo("5T12:00:00")).toEqual([base(5, 6).id, 2, 2]);
  });

  it("stays on the timeline that was left for a moment before it was left", async () => {
    expect(await pathTo("1T12:00:00")).toEqual([first, 1, 5]);
    expect(await pathTo("3T00:00:00")).toEqual([abandoned.id, 1, 2]);
    expect(await pathTo("3T00:00:00", [base(1, 1)])).toEqual([first, 1, 5]);
  });

  it("does not need the times of a copied store between two base backups of one timeline", async () => {
    await ship([segment(8, 2)]);
    for (const name of [segment(5), segment(7, 2)]) {
      utimesSync(join(root, `wal/1/${name}.age`), at(9), at(9));
    }
    const later = [...bases, base(7, 8, { timeline: 2 })];
    expect(await pathTo("6T00:00:00", later)).toEqual([base(5, 6).id, 2, 3]);
    expect(await pathTo("1T12:00:00", later)).toEqual([first, 1, 5]);
  });

  it("finds no base backup when each was made after the next timeline had begun", async () => {
    expect(await pathTo("4T00:00:00", [abandoned])).toBeUndefined();
  });
});

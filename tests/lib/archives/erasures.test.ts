import { readdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { openBackupKeys } from "../../../lib/archives/backup-keys.js";
import { erasureLog } from "../../../lib/archives/erasures.js";
import { folderStore } from "../../../lib/archives/store/folder.js";
import { backupKeys, otherKey, useFolders } from "../../support/backups.js";

const folder = useFolders();
let root: string;
beforeEach(() => {
  root = folder();
});
const log = () => erasureLog(folderStore(root), backupKeys);
const read = async (source = log()) => {
  const found: string[] = [];
  for await (const erasure of source.read()) found.push(shown(erasure));
  return found.sort();
};
const shown = ({ accountId, erasedAt }: { accountId: string; erasedAt: Date }) =>
  `${accountId} ${erasedAt.toISOString()}`;
const erasure = (accountId: string) => ({ accountId, erasedAt: new Date("2026-11-30T12:00:00Z") });
const parts = () => readdirSync(join(root, "erasures")).map((name) => join(root, "erasures", name));

describe("the log of erasures beside the backups", () => {
  it("is empty at first, and has each entry once it is added", async () => {
    expect(await read()).toEqual([]);
    await log().append([]);
    await Promise.all([log().append([erasure("a"), erasure("b")]), log().append([erasure("c")])]);
    expect(await read()).toEqual(["a", "b", "c"].map((id) => `${id} 2026-11-30T12:00:00.000Z`));
  });

  it("shows no account to a reader without the key", async () => {
    await log().append([erasure("account-of-somebody")]);
    expect(readFileSync(parts()[0] ?? "").includes("account")).toBe(false);
    await expect(
      read(erasureLog(folderStore(root), await openBackupKeys([otherKey]))),
    ).rejects.toThrow("another key than BACKUP_KEY");
  });

  it.each([
    ["truncated", (path: string) => truncateSync(path, readFileSync(path).length - 1)],
    ["emptied", (path: string) => truncateSync(path, 0)],
    ["renamed", (path: string) => renameSync(path, path.replace("erasures/", "erasures/1"))],
    [
      "replaced by a text",
      (path: string) => writeFileSync(path, JSON.stringify({ name: path, erasures: [] })),
    ],
  ])("is refused when a part was %s", async (_, damage) => {
    await log().append([erasure("a")]);
    damage(parts()[0] ?? "");
    await expect(read()).rejects.toThrow(/altered or truncated|is another part/);
  });
});

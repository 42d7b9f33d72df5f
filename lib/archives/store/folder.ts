import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BackupError, ObjectMissingError } from "../failures.js";
import type { ArchiveStore, StoredObject } from "./archive-store.js";

const unfinished = ".unfinished";

/** Files are readable by their owner only, and written to the disk before they get their name. */
export function folderStore(root: string): ArchiveStore {
  const describe = async (name: string): Promise<StoredObject | undefined> => {
    const found = await ifPresent(stat(join(root, name)));
    return found && { name, bytes: found.size, modifiedAt: found.mtime };
  };
  return {
    description: root,
    async put(name, body) {
      const partial = join(root, unfinished, randomUUID());
      const path = join(root, name);
      try {
        await mkdir(dirname(partial), { recursive: true, mode: 0o700 });
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        const file = await open(partial, "wx", 0o600);
        try {
          for await (const chunk of body) await file.writeFile(chunk);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(partial, path);
        await syncFolder(dirname(path));
      } catch (error) {
        await rm(partial, { force: true });
        throw explained(error, root);
      }
    },
    async *get(name) {
      try {
        yield* createReadStream(join(root, name), { highWaterMark: 256 * 1024 });
      } catch (error) {
        if (isAbsence(error)) throw new ObjectMissingError(`${name} is not in ${root}.`);
        throw explained(error, root);
      }
    },
    async list(prefix) {
      const entries =
        (await ifPresent(readdir(join(root, prefix), { withFileTypes: true })))?.filter((entry) =>
          entry.isFile(),
        ) ?? [];
      const found = await Promise.all(entries.map(({ name }) => describe(`${prefix}${name}`)));
      return found
        .filter((object) => object !== undefined)
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    find: describe,
    async remove(name) {
      await rm(join(root, name), { force: true });
    },
    async removeUnfinished(before) {
      let removed = 0;
      for (const name of (await ifPresent(readdir(join(root, unfinished)))) ?? []) {
        const path = join(root, unfinished, name);
        const found = await ifPresent(stat(path));
        if (!found || found.mtime >= before) continue;
        await rm(path, { force: true });
        removed++;
      }
      return removed;
    },
  };
}

/** Makes the new name survive a power failure. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function ifPresent<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

function isAbsence(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

function explained(error: unknown, root: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    ENOSPC: "the disk is full",
    EACCES: "this user may not write there",
    EROFS: "the file system is read-only",
  };
  const reason = reasons[code ?? ""];
  return reason
    ? new BackupError(`${root} could not be written: ${reason}.`, { cause: error })
    : error;
}

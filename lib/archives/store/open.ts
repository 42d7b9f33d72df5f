import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BackupError } from "../failures.js";
import type { ArchiveStore } from "./archive-store.js";
import { folderStore } from "./folder.js";

/**
 * `file:///folder` or `s3://bucket/prefix`. The client of S3 is loaded only when it is used. A folder that is missing would
 * be read as one without backups; with `mustExist` it throws `BackupError`.
 */
export async function openArchiveStore(
  url: string,
  { mustExist = false } = {},
): Promise<ArchiveStore> {
  const { protocol } = new URL(url);
  if (protocol === "file:") {
    const folder = fileURLToPath(url);
    if (mustExist && !existsSync(folder)) {
      throw new BackupError(
        `The folder ${folder} of BACKUP_URL does not exist. Is the disk mounted?`,
      );
    }
    return folderStore(folder);
  }
  if (protocol !== "s3:") throw new BackupError("BACKUP_URL must start with file:// or s3://.");
  const { bucketStore } = await import("./bucket.js");
  return bucketStore(url);
}

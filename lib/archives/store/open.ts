import { fileURLToPath } from "node:url";
import { BackupError } from "../failures.js";
import type { ArchiveStore } from "./archive-store.js";
import { folderStore } from "./folder.js";

/** `file:///folder` or `s3://bucket/prefix`. The client of S3 is loaded only when it is used. */
export async function openArchiveStore(url: string): Promise<ArchiveStore> {
  const { protocol } = new URL(url);
  if (protocol === "file:") return folderStore(fileURLToPath(url));
  if (protocol !== "s3:") throw new BackupError("BACKUP_URL must start with file:// or s3://.");
  const { bucketStore } = await import("./bucket.js");
  return bucketStore(url);
}

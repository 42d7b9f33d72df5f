import { type FileHandle, open } from "node:fs/promises";
import { UsageError } from "./failures.js";

/** Only this user can read it. Throws `UsageError` when the file exists or cannot be written. */
export function openNewFile(file: string): Promise<FileHandle> {
  return open(file, "wx", 0o600).catch(({ code, message }: NodeJS.ErrnoException) => {
    const problem =
      code === "EEXIST" ? "exists. Name a new file." : `cannot be written: ${message}`;
    throw new UsageError(`${file} ${problem}`);
  });
}

import { createHash } from "node:crypto";
import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";

export interface StoresLock {
  directory: string;
  /** Listening here is owning the directory. */
  port: number;
  /** The first line an owner says, so that a foreign program on the port is told apart. */
  greeting: string;
  stateFile: string;
  logFile: string;
}

/**
 * The lock of one directory of embedded stores: a loopback port that follows from its path.
 *
 * The kernel lets one process listen on a port and frees it when that process dies, however it dies;
 * so there is no stale lock to break, and of two starters exactly one binds. The range lies below the
 * ephemeral ports of Linux, macOS and Windows.
 */
export function storesLock(path: string): StoresLock {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const directory = realpathSync(path);
  const digest = createHash("sha256").update(directory).digest();
  return {
    directory,
    port: 20_000 + (digest.readUInt32BE(0) % 12_000),
    greeting: `linguamate-stores ${digest.toString("hex")}`,
    stateFile: join(directory, "stores.json"),
    logFile: join(directory, "stores.log"),
  };
}

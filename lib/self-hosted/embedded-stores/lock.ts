import { createHash } from "node:crypto";
import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";

export interface StoresLock {
  directory: string;
  /** The process that listens on it owns the directory. */
  port: number;
  /** Sent first, to detect another program on the port. */
  greeting: string;
  stateFile: string;
  logFile: string;
}

/** Creates the directory; takes no lock. The port is the lock: the kernel frees it. It is below all ephemeral port ranges. */
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

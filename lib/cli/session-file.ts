import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as z from "zod";

const StoredSession = z.strictObject({
  deviceId: z.string(),
  accessToken: z.string(),
  refreshToken: z.string(),
  /** By this machine's clock, in ms. */
  expiresAt: z.number(),
  /** Of a refresh whose reply has not come yet: it is repeated with the same one. */
  rotationId: z.string().optional(),
});
export type StoredSession = z.infer<typeof StoredSession>;

/** Where the session on one deployment is kept: one file for each, for its owner alone. */
export interface SessionFile {
  path: string;
  /** Null when there is none, or what is there is not ours. */
  read(): StoredSession | null;
  write(session: StoredSession): void;
  remove(): void;
}

export function sessionFile(directory: string, url: URL): SessionFile {
  const path = join(directory, `${url.origin.replace(/[^\w.-]+/g, "_")}.json`);
  return {
    path,
    read() {
      try {
        return StoredSession.parse(JSON.parse(readFileSync(path, "utf8")));
      } catch {
        return null;
      }
    },
    write(session) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      // Whole or not at all: another command may be reading it.
      const next = `${path}.${process.pid}`;
      writeFileSync(next, JSON.stringify(session), { mode: 0o600 });
      chmodSync(next, 0o600);
      renameSync(next, path);
    },
    remove: () => rmSync(path, { force: true }),
  };
}

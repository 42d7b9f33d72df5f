import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as z from "zod";

const StoredSession = z.strictObject({
  deviceId: z.string(),
  accessToken: z.string(),
  refreshToken: z.string(),
  /** In ms, by this machine's clock. */
  expiresAt: z.number(),
  /** Set during a refresh; a refresh without a reply is repeated with the same ID. */
  rotationId: z.string().optional(),
});
export type StoredSession = z.infer<typeof StoredSession>;

/** The stored session, one file per deployment. */
export interface SessionFile {
  path: string;
  /** Null when the file is missing or invalid. */
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
      // Written to a temporary file and renamed: another command may be reading it.
      const next = `${path}.${process.pid}`;
      writeFileSync(next, JSON.stringify(session), { mode: 0o600 });
      chmodSync(next, 0o600);
      renameSync(next, path);
    },
    remove: () => rmSync(path, { force: true }),
  };
}

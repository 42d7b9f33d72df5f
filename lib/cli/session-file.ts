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

const Device = StoredSession.pick({ deviceId: true }).loose();

/** The stored session, one file per deployment. */
export interface SessionFile {
  path: string;
  /** Null when the file is missing or invalid, or its session was ended. */
  read(): StoredSession | null;
  write(session: StoredSession): void;
  /** Also of a session that was ended; null when the file is missing or invalid. */
  deviceId(): string | null;
  /** Forget the session, but not the device. */
  end(): void;
  remove(): void;
}

export function sessionFile(directory: string, url: URL): SessionFile {
  const path = join(directory, `${url.origin.replace(/[^\w.-]+/g, "_")}.json`);
  const readAs = <T>(schema: z.ZodType<T>): T | null => {
    try {
      return schema.parse(JSON.parse(readFileSync(path, "utf8")));
    } catch {
      return null;
    }
  };
  const write = (content: object) => {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Written to a temporary file and renamed: another command may be reading it.
    const next = `${path}.${process.pid}`;
    writeFileSync(next, JSON.stringify(content), { mode: 0o600 });
    chmodSync(next, 0o600);
    renameSync(next, path);
  };
  const deviceId = () => readAs(Device)?.deviceId ?? null;
  return {
    path,
    read: () => readAs(StoredSession),
    write,
    deviceId,
    end: () => write({ deviceId: deviceId() }),
    remove: () => rmSync(path, { force: true }),
  };
}

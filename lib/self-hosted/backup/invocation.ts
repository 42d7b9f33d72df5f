import { type BackupContext, verifyArchive } from "../../archives/archive.js";
import type { Manifest } from "../../archives/manifest.js";
import type { BackupSettings } from "../../archives/settings.js";
import { showProgress, size } from "./progress.js";

export interface Io {
  out(line: string): void;
  error(line: string): void;
}

export interface Invocation {
  settings: BackupSettings;
  context: Omit<BackupContext, "databaseUrl" | "onBytes">;
  io: Io;
  rest: string[];
  options: {
    base?: boolean | undefined;
    "dry-run"?: boolean | undefined;
    replace?: string | undefined;
    at?: string | undefined;
    into?: string | undefined;
    confirm?: string | undefined;
  };
  /** The folder of the migrations of this release. */
  migrations: string;
}

export async function verifyWithProgress(
  context: Invocation["context"],
  manifest: Manifest,
): Promise<void> {
  await withProgress("verify", manifest.bytes, (onBytes) =>
    verifyArchive({ ...context, onBytes }, manifest),
  );
}

export async function withProgress<T>(
  label: string,
  totalBytes: number | undefined,
  action: (onBytes: (bytes: number) => void) => Promise<T>,
  options?: { isEstimate: boolean },
): Promise<T> {
  const progress = showProgress(label, totalBytes, options);
  try {
    return await action(progress.onBytes);
  } finally {
    progress.stop();
  }
}

/** Within 80 columns. */
export function describe(manifest: Manifest): string {
  const { kind, id, bytes } = manifest;
  const start = `${kind} ${id}  ${size(bytes).padStart(8)}`;
  if (manifest.kind === "base") return `${start}  from WAL ${manifest.startWal}`;
  const rows = Object.values(manifest.rows).reduce((sum, count) => sum + count, 0);
  return `${start}  ${rows} rows`;
}

import type { BackupContext } from "./archive.js";
import {
  type BaseManifest,
  backupKinds,
  listBackups,
  type Manifest,
  removeBackup,
} from "./manifest.js";
import { isSegment, removeWal, segmentNumber, segmentOf, storedWal } from "./wal.js";

export const retentionDays = 30;
/** Of each kind; kept whatever their age. */
const newestKept = 3;
const dayMs = 86_400_000;
/** An upload may take this long. */
const unfinishedMs = dayMs;

export interface Pruned {
  backups: Manifest[];
  wal: number;
  unfinished: number;
}

/**
 * Deletes backups older than 30 days, except the newest of each kind and the base backup from which the oldest moment of
 * the 30 days is recovered; WAL that is older than every kept backup; and parts of interrupted uploads.
 * Ages are measured from the newest backup, so that a wrong clock or a month without backups deletes nothing.
 */
export async function prune(
  { store, keys, now }: Pick<BackupContext, "store" | "keys" | "now">,
  { dryRun = false }: { dryRun?: boolean } = {},
): Promise<Pruned> {
  const list = await listBackups(store, keys);
  const { complete, incomplete, storedAt } = list;
  const backups: Manifest[] = [];
  for (const kind of backupKinds) {
    const ofKind = complete.filter((manifest) => manifest.kind === kind);
    const newest = ofKind.at(-1);
    if (!newest) continue;
    const reference = Math.min(
      now().getTime(),
      Date.parse(newest.createdAt),
      storedAt.get(newest.id)?.getTime() ?? 0,
    );
    const isOld = ({ createdAt }: Manifest) =>
      Date.parse(createdAt) < reference - retentionDays * dayMs;
    const old = ofKind.slice(0, -newestKept).filter(isOld);
    // A base backup serves the moments until the next one.
    backups.push(...(kind === "base" ? old.filter((one) => isOld(next(ofKind, one))) : old));
  }
  const kept = complete.filter((manifest) => !backups.includes(manifest));
  const wal = await unusedWal(store, kept);
  const before = new Date(now().getTime() - unfinishedMs);
  const orphans = incomplete.filter(({ modifiedAt }) => modifiedAt < before);
  if (dryRun) return { backups, wal: wal.length, unfinished: orphans.length };
  for (const manifest of backups) await removeBackup(store, manifest);
  for (const name of wal) await removeWal(store, name);
  for (const { name } of orphans) await store.remove(name);
  const unfinished = orphans.length + (await store.removeUnfinished(before));
  return { backups, wal: wal.length, unfinished };
}

function next(sorted: Manifest[], one: Manifest): Manifest {
  return sorted[sorted.indexOf(one) + 1] ?? one;
}

/** Before the start of the oldest base backup that is kept. Timeline histories are small and always kept. */
async function unusedWal(
  store: BackupContext["store"],
  kept: readonly Manifest[],
): Promise<string[]> {
  const bases = kept.filter((manifest): manifest is BaseManifest => manifest.kind === "base");
  const [any] = bases;
  if (!any) return [];
  // After a move to another server the positions cannot be compared.
  if (bases.some(({ systemId }) => systemId !== any.systemId)) return [];
  const { segmentBytes } = any;
  const first = Math.min(...bases.map(({ startWal }) => segmentOf(startWal, segmentBytes)));
  return (await storedWal(store)).filter(
    (name) => isSegment(name.slice(0, 24)) && segmentNumber(name, segmentBytes) < first,
  );
}

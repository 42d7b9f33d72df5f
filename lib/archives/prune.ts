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
 * WAL stays while any backup cannot be read, because it may need it.
 * Ages are measured from the newest backup, so that a wrong clock or a month without backups deletes nothing.
 */
export async function prune(
  { store, keys, now, warn }: Pick<BackupContext, "store" | "keys" | "now" | "warn">,
  { dryRun = false }: { dryRun?: boolean } = {},
): Promise<Pruned> {
  const list = await listBackups(store, keys);
  const { complete, broken, incomplete, storedAt } = list;
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
  const [unreadable] = broken;
  if (unreadable) {
    warn(
      `No WAL is deleted, because ${broken.length} backups cannot be read: ${unreadable.reason}`,
    );
  }
  const wal = unreadable ? [] : await unusedWal(store, complete, kept);
  const before = new Date(now().getTime() - unfinishedMs);
  const orphans = incomplete.filter(({ modifiedAt }) => modifiedAt < before);
  if (dryRun) return { backups, wal: wal.length, unfinished: orphans.length };
  for (const manifest of backups) await removeBackup(store, manifest);
  for (const { systemId, name } of wal) await removeWal(store, systemId, name);
  for (const { name } of orphans) await store.remove(name);
  const unfinished = orphans.length + (await store.removeUnfinished(before));
  return { backups, wal: wal.length, unfinished };
}

function next(sorted: Manifest[], one: Manifest): Manifest {
  return sorted[sorted.indexOf(one) + 1] ?? one;
}

/**
 * Before the start of the oldest base backup that is kept, of each server that has a base backup. Timeline histories are
 * small and kept as long as one needs them.
 */
async function unusedWal(
  store: BackupContext["store"],
  complete: readonly Manifest[],
  kept: readonly Manifest[],
): Promise<{ systemId: string; name: string }[]> {
  const basesIn = (manifests: readonly Manifest[]) =>
    manifests.filter((manifest): manifest is BaseManifest => manifest.kind === "base");
  const sizes = new Map(basesIn(complete).map((base) => [base.systemId, base.segmentBytes]));
  const unused: { systemId: string; name: string }[] = [];
  for (const [systemId, segmentBytes] of sizes) {
    const bases = basesIn(kept).filter((base) => base.systemId === systemId);
    const first = Math.min(...bases.map(({ startWal }) => segmentOf(startWal, segmentBytes)));
    for (const name of await storedWal(store, systemId)) {
      const isUnused =
        bases.length === 0 ||
        (isSegment(name.slice(0, 24)) && segmentNumber(name, segmentBytes) < first);
      if (isUnused) unused.push({ systemId, name });
    }
  }
  return unused;
}

import { randomUUID } from "node:crypto";
import { isAbsolute } from "node:path";
import pg from "pg";
import type { BackupContext } from "../../archives/archive.js";
import { checkArchives } from "../../archives/check.js";
import { BackupError, BackupRefusedError } from "../../archives/failures.js";
import {
  type DumpManifest,
  isFromFuture,
  listBackups,
  type Manifest,
} from "../../archives/manifest.js";
import {
  dropMomentCopy,
  listMomentCopies,
  momentToProve,
  restoreMomentCopy,
  startMomentCopy,
} from "../../archives/moment-copy.js";
import { withDatabase } from "../../archives/postgres-tools.js";
import { retentionDays } from "../../archives/prune.js";
import { recoverableSince } from "../../archives/recovery-path.js";
import { dropDrillCopy, listDrillCopies, restoreCopy } from "../../archives/restore-dump.js";
import { checkBackups } from "../../backups/check.js";
import { advanceDrill } from "../../backups/drill.js";
import type { BackupStore } from "../../backups/store.js";
import { BackupStoreError } from "../../backups/store-error.js";
import type { Context } from "../../context.js";
import { databaseAt } from "../../db/database.js";
import { env } from "../../env.js";
import {
  placeholderUrl,
  postgresOverSocket,
} from "../../platform/postgres-transport/over-socket.js";
import { emptyRequestMetrics } from "../../request-metrics.js";
import type { Invocation } from "./invocation.js";

/** Whole tables are counted. */
const deadlineMs = 60_000;
const daySeconds = 86_400;

/** The daily check and the restore drill of the backend, over the archives. They need the secrets of the backend, to verify the audit log. */
export function drilledArchives(invocation: Invocation, databaseUrl: string) {
  const store = archiveBackupStore(invocation, databaseUrl);
  return {
    check: () =>
      inContext(databaseUrl, async (ctx) => {
        const { findings } = await checkBackups(ctx, store);
        for (const { check, passed, detail } of findings) {
          if (!passed) invocation.io.error(`Failed check: ${check}: ${detail}`);
        }
      }),
    advanceDrill: () => inContext(databaseUrl, (ctx) => advanceDrill(ctx, store)),
  };
}

async function inContext<T>(databaseUrl: string, work: (ctx: Context) => Promise<T>): Promise<T> {
  const environment = env();
  const correlationId = randomUUID();
  const { fetch: transport, close } = postgresOverSocket(databaseUrl, { deadlineMs });
  try {
    return await work({
      env: environment,
      db: databaseAt(placeholderUrl, { correlationId, trace: undefined, transport }),
      now: new Date(),
      correlationId,
      route: "backup",
      address: undefined,
      requestMetrics: emptyRequestMetrics(),
      gate: null,
      after: () => {},
    });
  } finally {
    await close();
  }
}

export function archiveBackupStore(
  { context, settings: { walFolder } }: Invocation,
  databaseUrl: string,
): BackupStore {
  const whole = { ...context, databaseUrl };
  const complete = () =>
    asked(async () => (await listBackups(context.store, context.keys)).complete);
  const ofKind = async <Kind extends Manifest["kind"]>(kind: Kind) =>
    (await complete()).filter(
      (manifest): manifest is Extract<Manifest, { kind: Kind }> => manifest.kind === kind,
    );
  /** The ID of a copy of a moment is its folder. */
  const uriOf = async (copyId: string) =>
    isAbsolute(copyId)
      ? asked(() => startMomentCopy(whole, copyId))
      : withDatabase(databaseUrl, copyId);
  const readRecoverySeconds = async () => {
    const bases = await ofKind("base");
    const since = await asked(() => recoverableSince(context, bases));
    return since ? Math.floor((context.now().getTime() - since.getTime()) / 1000) : 0;
  };
  const refuse = () => Promise.reject(new BackupStoreError("the backup process does this", true));
  return {
    name: context.store.description,
    historyGrows: true,
    readSchedule: async () => [
      {
        frequency: "daily",
        hour: null,
        day: null,
        month: null,
        retentionSeconds: retentionDays * daySeconds,
      },
    ],
    setSchedule: refuse,
    async listSnapshots() {
      return (await ofKind("dump")).map(({ id, createdAt }) => ({
        id,
        name: id,
        at: new Date(createdAt),
        expiresAt: null,
        isManual: false,
      }));
    },
    takeSnapshot: refuse,
    ...(walFolder ? { readRecoverySeconds } : {}),
    async readState() {
      const problems = await asked(() => checkArchives(whole, walFolder));
      const isReady = problems.length === 0;
      return { isReady, detail: isReady ? "the archives have no problem" : problems.join(" ") };
    },
    async chooseTarget() {
      const moment = walFolder ? await asked(() => momentToProve(whole)) : undefined;
      const newest = (await ofKind("dump")).findLast((dump) => !isFromFuture(dump, context.now()));
      if (!moment && !newest) throw new BackupStoreError("there is no backup yet");
      return moment ?? momentOf(newest as Manifest);
    },
    async createCopy({ name, at }) {
      const dumps = await ofKind("dump");
      const dump = dumps.find((each) => momentOf(each).getTime() === at.getTime());
      const restore = async () => {
        if (dump) return restoreCopy(whole, dump, name);
        await proveDump(whole, dumps.at(-1), `${name}-dump`);
        await restoreMomentCopy(whole, at, name);
      };
      await asked(restore);
      return { operations: [] };
    },
    async listCopies(prefix) {
      const [databases, folders] = await Promise.all([
        asked(() => listDrillCopies(databaseUrl, prefix)),
        asked(() => listMomentCopies(whole, prefix)),
      ]);
      return [
        ...databases.map((copy) => ({ ...copy, id: copy.name })),
        ...folders.map(({ path, ...copy }) => ({ ...copy, id: path })),
      ];
    },
    async isReady(copyId) {
      await uriOf(copyId);
      return true;
    },
    connectionUri: uriOf,
    deleteCopy: (copyId) =>
      asked(() =>
        isAbsolute(copyId) ? dropMomentCopy(whole, copyId) : dropDrillCopy(databaseUrl, copyId),
      ),
  };
}

/** The time of a dump is rounded down. */
const momentOf = ({ createdAt }: Manifest) => new Date(Date.parse(createdAt) + 1);

/** Restored, its tables have the row counts of its manifest. */
async function proveDump(
  context: BackupContext,
  dump: DumpManifest | undefined,
  name: string,
): Promise<void> {
  if (!dump) return;
  await dropDrillCopy(context.databaseUrl, name);
  await restoreCopy(context, dump, name);
  await dropDrillCopy(context.databaseUrl, name);
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof pg.DatabaseError) throw new BackupStoreError(refusalOf(cause));
    if (!(cause instanceof BackupError)) throw cause;
    throw new BackupStoreError(cause.message, cause instanceof BackupRefusedError);
  }
}

function refusalOf({ code, message }: pg.DatabaseError): string {
  const needs = code === insufficientPrivilege ? ": a drill needs a role with CREATEDB" : "";
  return `PostgreSQL refused: ${message}${needs}`;
}

const insufficientPrivilege = "42501";

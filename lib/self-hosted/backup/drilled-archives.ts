import { randomUUID } from "node:crypto";
import { checkBackups as findProblems } from "../../archives/check.js";
import { BackupError, BackupRefusedError } from "../../archives/failures.js";
import { listBackups, type Manifest } from "../../archives/manifest.js";
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

function archiveBackupStore(
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
    async readRecoverySeconds() {
      const bases = await ofKind("base");
      const since = await asked(() => recoverableSince(context, bases));
      return since ? Math.floor((context.now().getTime() - since.getTime()) / 1000) : 0;
    },
    async readState() {
      const problems = await asked(() => findProblems(whole, walFolder));
      return problems.length === 0 ? "ready" : problems.join(" ");
    },
    async createCopy({ name, at }) {
      const dump = (await ofKind("dump")).findLast(({ createdAt }) => new Date(createdAt) <= at);
      if (!dump) throw new BackupStoreError("there is no backup of that time", true);
      await asked(() => restoreCopy(whole, dump, name));
      return { operations: [] };
    },
    async listCopies(prefix) {
      const copies = await asked(() => listDrillCopies(databaseUrl, prefix));
      return copies.map(({ name, createdAt }) => ({ id: name, name, createdAt }));
    },
    isReady: async () => true,
    connectionUri: async (copyId) => withDatabase(databaseUrl, copyId),
    deleteCopy: (copyId) => asked(() => dropDrillCopy(databaseUrl, copyId)),
  };
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (!(cause instanceof BackupError)) throw cause;
    throw new BackupStoreError(cause.message, cause instanceof BackupRefusedError);
  }
}

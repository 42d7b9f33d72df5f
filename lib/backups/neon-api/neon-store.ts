import type * as z from "zod";
import type { Context } from "../../context.js";
import { hostOf, parseDatabaseUrl } from "../../database-url.js";
import { targetAgeMs } from "../drill-parts.js";
import type { BackupStore, ScheduleItem, Snapshot } from "../store.js";
import { BackupStoreError, CopyKeptError } from "../store-error.js";
import { callNeon, type NeonSettings } from "./call.js";
import {
  BranchesReply,
  BranchReply,
  ConnectionUriReply,
  CreatedBranchReply,
  CreatedSnapshotReply,
  EndpointsReply,
  OperationReply,
  ProjectReply,
  ScheduleReply,
  SnapshotsReply,
  SourceReply,
  scheduleNumber,
} from "./replies.js";

const pageSize = 100;
const pagesMax = 20;
/** Of clocks that differ, too. */
const newMs = 3_600_000;

/** Snapshots, history and branches of a Neon project. Source: https://api-docs.neon.tech */
export function neonStore(ctx: Context, settings: NeonSettings): BackupStore {
  const { projectId, branchId } = settings;
  const live = { ids: { branch: branchId } };
  const readAs = new WeakMap<ScheduleItem, object>();

  return {
    name: "Neon",
    historyGrows: false,

    async readSchedule() {
      const { schedule } = await callNeon(ctx, settings, "read_schedule", {
        ...live,
        reply: ScheduleReply,
      });
      return schedule.map((given) => {
        const item: ScheduleItem = {
          frequency: given.frequency,
          hour: scheduleNumber.parse(given.hour),
          day: scheduleNumber.parse(given.day),
          month: scheduleNumber.parse(given.month),
          retentionSeconds: given.retention_seconds ?? null,
        };
        readAs.set(item, given);
        return item;
      });
    },

    async setSchedule(items) {
      const schedule = items.map((item) => readAs.get(item) ?? neonItem(item));
      await callNeon(ctx, settings, "set_schedule", { ...live, body: { schedule } });
      // The answer says nothing.
      if (JSON.stringify(await this.readSchedule()) !== JSON.stringify(items)) {
        throw new BackupStoreError("backup schedule: Neon still has another one");
      }
    },

    async listSnapshots() {
      const { snapshots } = await callNeon(ctx, settings, "snapshots", { reply: SnapshotsReply });
      return snapshots.filter((each) => each.source_branch_id === branchId).map(snapshotOf);
    },

    // Neon reads the parameters of a snapshot from the query and ignores a body.
    async takeSnapshot({ name, expiresAt }) {
      const { snapshot } = await callNeon(ctx, settings, "take_snapshot", {
        ...live,
        query: { name, expires_at: expiresAt.toISOString() },
        reply: CreatedSnapshotReply,
      });
      const ageMs = ctx.now.getTime() - snapshot.created_at.getTime();
      const isAsked = snapshot.name === name && snapshot.source_branch_id === branchId;
      if (!isAsked || Math.abs(ageMs) > newMs) {
        throw new BackupStoreError("new snapshot: Neon's answer is about another snapshot");
      }
      return snapshotOf(snapshot);
    },

    async readRecoverySeconds() {
      const { project } = await callNeon(ctx, settings, "project", { reply: ProjectReply });
      if (project.id !== projectId)
        throw new BackupStoreError("project: Neon's answer is about another project");
      return project.history_retention_seconds;
    },

    async readState() {
      const { current_state, expires_at } = await readBranch(branchId, BranchReply);
      const detail = `the branch is ${current_state}`;
      if (!expires_at) return { isReady: current_state === "ready", detail };
      const end = `, but Neon deletes it at ${expires_at.toISOString()}`;
      return { isReady: false, detail: detail + end };
    },

    async findMismatch() {
      const reached = await reachedBranch();
      if (reached === null) return noEndpoint;
      return reached === branchId
        ? null
        : `DATABASE_URL reaches the branch ${reached}, not NEON_BRANCH_ID`;
    },

    chooseTarget: async () => new Date(ctx.now.getTime() - targetAgeMs),

    // After a restore NEON_BRANCH_ID may still name the source.
    async findSource() {
      const reached = await reachedBranch();
      return reached === null ? null : ((await readBranch(reached, SourceReply)).parent_id ?? null);
    },

    async createCopy({ name, at, expiresAt }) {
      const { branch, operations } = await callNeon(ctx, settings, "create_branch", {
        body: {
          branch: {
            name,
            parent_id: branchId,
            parent_timestamp: at.toISOString(),
            expires_at: expiresAt.toISOString(),
          },
          endpoints: [{ type: "read_write" }],
        },
        reply: CreatedBranchReply,
      });
      if (branch.name !== name) {
        throw new BackupStoreError("new branch: Neon's answer is about another branch");
      }
      return { operations: operations.map(({ id }) => id) };
    },

    async listCopies(prefix) {
      const branches = await listBranches(prefix);
      return branches
        .filter(({ id, parent_id, default: isDefault }) => {
          return parent_id === branchId && id !== branchId && !isDefault;
        })
        .filter(({ name }) => name.startsWith(prefix))
        .map(({ id, name, created_at }) => ({ id, name, createdAt: created_at }));
    },

    async hasCopy(id) {
      const found = await callNeon(ctx, settings, "branch", {
        ids: { branch: id },
        reply: BranchReply,
        mayBeAbsent: true,
      });
      return found !== null;
    },

    async isReady(id, operations) {
      for (const operation of operations) {
        const { operation: found } = await callNeon(ctx, settings, "operation", {
          ids: { operation },
          reply: OperationReply,
        });
        if (found.id !== operation) {
          throw new BackupStoreError("operation: Neon's answer is about another operation");
        }
        if (["failed", "error", "cancelled", "cancelling"].includes(found.status)) {
          throw new BackupStoreError(`new branch: the operation of Neon is ${found.status}`, true);
        }
        if (found.status !== "finished" && found.status !== "skipped") return false;
      }
      return (await readBranch(id, BranchReply)).current_state === "ready";
    },

    async connectionUri(id) {
      const databaseUrl = requireDatabaseUrl();
      const { username, pathname } = parseDatabaseUrl(databaseUrl);
      const { uri } = await callNeon(ctx, settings, "connection_uri", {
        query: {
          branch_id: id,
          database_name: decodeURIComponent(pathname.slice(1)),
          role_name: decodeURIComponent(username),
        },
        reply: ConnectionUriReply,
      });
      if (endpointHostOf(uri) === endpointHostOf(databaseUrl)) {
        throw new BackupStoreError("connection URI: Neon's answer is the live database", true);
      }
      return uri;
    },

    // An operator may have put a copy into use, so that it is asked for at each deletion.
    async deleteCopy(copyId) {
      const copy = (await listBranches(copyId)).find(({ id }) => id === copyId);
      if (!copy) return;
      const reached = await reachedBranch();
      const reason =
        copyId === branchId
          ? "it is NEON_BRANCH_ID"
          : copyId === reached
            ? "DATABASE_URL reaches it"
            : copy.protected || copy.default
              ? "it is protected"
              : reached === null
                ? noEndpoint
                : null;
      if (reason !== null) {
        const until = copy.expires_at
          ? `; Neon deletes it at ${copy.expires_at.toISOString()}`
          : "";
        throw new CopyKeptError(`${copy.name} is not deleted: ${reason}${until}`);
      }
      await callNeon(ctx, settings, "delete_branch", { ids: { branch: copyId } });
    },
  };

  async function readBranch<B extends { id: string }>(
    id: string,
    reply: z.ZodType<{ branch: B }>,
  ): Promise<B> {
    const { branch } = await callNeon(ctx, settings, "branch", { ids: { branch: id }, reply });
    if (branch.id !== id)
      throw new BackupStoreError("branch: Neon's answer is about another branch");
    return branch;
  }

  /** Those whose name or ID contains `search`. */
  async function listBranches(search: string) {
    const found: z.output<typeof BranchesReply>["branches"] = [];
    let cursor: string | undefined;
    for (let page = 0; page < pagesMax; page += 1) {
      const { branches, pagination } = await callNeon(ctx, settings, "branches", {
        query: { search, limit: String(pageSize), ...(cursor && { cursor }) },
        reply: BranchesReply,
      });
      found.push(...branches);
      cursor = pagination?.next;
      if (!cursor || branches.length === 0) return found;
    }
    throw new BackupStoreError("branches: there are too many");
  }

  /** The ID of the branch of `DATABASE_URL`; null when it is in another project, or not at Neon. */
  async function reachedBranch(): Promise<string | null> {
    const host = endpointHostOf(requireDatabaseUrl());
    const { endpoints } = await callNeon(ctx, settings, "endpoints", { reply: EndpointsReply });
    return endpoints.find((each) => each.host === host)?.branch_id ?? null;
  }

  function requireDatabaseUrl(): string {
    const { databaseUrl } = ctx.env.stores;
    if (!databaseUrl) throw new BackupStoreError("DATABASE_URL is not set", true);
    return databaseUrl;
  }
}

const noEndpoint = "no endpoint of NEON_PROJECT_ID is that of DATABASE_URL";

/** The same with and without the pooler or a port. */
const endpointHostOf = (uri: string) => hostOf(uri).toLowerCase().replace("-pooler.", ".");

function neonItem({ frequency, hour, day, month, retentionSeconds }: ScheduleItem) {
  return {
    frequency,
    hour: hour ?? undefined,
    day: day ?? undefined,
    month: month ?? undefined,
    retention_seconds: retentionSeconds ?? undefined,
  };
}

function snapshotOf(snapshot: z.output<typeof CreatedSnapshotReply>["snapshot"]): Snapshot {
  const { id, name, created_at, expires_at, manual } = snapshot;
  return { id, name, at: created_at, expiresAt: expires_at ?? null, isManual: manual };
}

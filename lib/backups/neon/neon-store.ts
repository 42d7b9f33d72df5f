import type * as z from "zod";
import type { Context } from "../../context.js";
import { hostAndPortOf, parseDatabaseUrl } from "../../database-url.js";
import type { BackupStore, Copy, Snapshot } from "../store.js";
import { BackupStoreError } from "../store-error.js";
import { callNeon, type NeonSettings } from "./call.js";
import {
  BranchesReply,
  BranchReply,
  ConnectionUriReply,
  CreatedBranchReply,
  CreatedSnapshotReply,
  OperationReply,
  ProjectReply,
  ScheduleReply,
  SnapshotsReply,
} from "./replies.js";

const pageSize = 100;
const pagesMax = 20;

/** Snapshots, history and branches of a Neon project. Source: https://api-docs.neon.tech */
export function neonStore(ctx: Context, settings: NeonSettings): BackupStore {
  const { projectId, branchId } = settings;
  const live = { ids: { branch: branchId } };

  return {
    name: "Neon",
    historyGrows: false,

    async readSchedule() {
      const { schedule } = await callNeon(ctx, settings, "read_schedule", {
        ...live,
        reply: ScheduleReply,
      });
      return schedule.map(({ frequency, hour, day, month, retention_seconds }) => ({
        frequency,
        hour: hour ?? null,
        day: day ?? null,
        month: month ?? null,
        retentionSeconds: retention_seconds ?? null,
      }));
    },

    async setSchedule(items) {
      const schedule = items.map(({ frequency, hour, day, month, retentionSeconds }) => ({
        frequency,
        hour: hour ?? undefined,
        day: day ?? undefined,
        month: month ?? undefined,
        retention_seconds: retentionSeconds ?? undefined,
      }));
      await callNeon(ctx, settings, "set_schedule", { ...live, body: { schedule } });
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
      return snapshotOf(snapshot);
    },

    async readRecoverySeconds() {
      const { project } = await callNeon(ctx, settings, "project", { reply: ProjectReply });
      if (project.id !== projectId)
        throw new BackupStoreError("project: Neon's answer is about another project");
      return project.history_retention_seconds;
    },

    readState: () => stateOf(branchId),

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
      const copies: Copy[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < pagesMax; page += 1) {
        const { branches, pagination } = await callNeon(ctx, settings, "branches", {
          query: { search: prefix, limit: String(pageSize), ...(cursor && { cursor }) },
          reply: BranchesReply,
        });
        for (const { id, name, parent_id, default: isDefault, created_at } of branches) {
          const isOurs = parent_id === branchId && id !== branchId && !isDefault;
          if (isOurs && name.startsWith(prefix)) copies.push({ id, name, createdAt: created_at });
        }
        cursor = pagination?.next;
        if (!cursor || branches.length === 0) return copies;
      }
      throw new BackupStoreError("branches: there are too many");
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
      return (await stateOf(id)) === "ready";
    },

    async connectionUri(copyId) {
      const { databaseUrl } = ctx.env.stores;
      if (!databaseUrl) {
        throw new BackupStoreError("connection URI: DATABASE_URL is not set", true);
      }
      const { username, pathname } = parseDatabaseUrl(databaseUrl);
      const { uri } = await callNeon(ctx, settings, "connection_uri", {
        query: {
          branch_id: copyId,
          database_name: decodeURIComponent(pathname.slice(1)),
          role_name: decodeURIComponent(username),
        },
        reply: ConnectionUriReply,
      });
      if (endpointOf(uri) === endpointOf(databaseUrl)) {
        throw new BackupStoreError("connection URI: Neon's answer is the live database", true);
      }
      return uri;
    },

    async deleteCopy(copyId) {
      if (copyId === branchId)
        throw new BackupStoreError("The live branch is never deleted.", true);
      await callNeon(ctx, settings, "delete_branch", { ids: { branch: copyId } });
    },
  };

  async function stateOf(id: string): Promise<string> {
    const { branch } = await callNeon(ctx, settings, "branch", {
      ids: { branch: id },
      reply: BranchReply,
    });
    if (branch.id !== id)
      throw new BackupStoreError("branch: Neon's answer is about another branch");
    return branch.current_state;
  }
}

/** With or without the pooler. */
const endpointOf = (uri: string) => hostAndPortOf(uri).replace("-pooler.", ".");

function snapshotOf(snapshot: z.output<typeof CreatedSnapshotReply>["snapshot"]): Snapshot {
  const { id, name, created_at, expires_at, manual } = snapshot;
  return { id, name, at: created_at, expiresAt: expires_at ?? null, isManual: manual };
}

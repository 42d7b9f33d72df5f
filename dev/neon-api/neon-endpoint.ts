import { randomBytes, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { hostOf } from "../../lib/database-url.js";
import { faultsOnDemand } from "../faults-on-demand.js";
import { readJson } from "../json-endpoint.js";
import { listenLocally } from "../listen-locally.js";
import { findOperation } from "./api-document.js";
import type { BranchDatabase, BranchDatabases } from "./branch-databases.js";

/** For the next `times` requests (default: all) of an operation of the API (default: any). */
type NeonFault = { operationId?: string; times?: number } /** Nothing is done. */ & (
  | { kind: "status"; status: number }
  /** Done, but the reply is cut off. */
  | { kind: "lose-reply" }
  /** Done, but there is no reply. */
  | { kind: "hang" }
  /** Done; the reply is this text instead. Undefined: the reply as it is. */
  | { kind: "rewrite"; rewrite(body: unknown): string | undefined }
);

interface NeonCall {
  operationId: string;
  path: string;
  headers: IncomingMessage["headers"];
  /** The body of the request. */
  given: unknown;
  status: number;
  body: unknown;
}

export interface NeonEndpoint {
  url: string;
  apiKey: string;
  projectId: string;
  branchId: string;
  state: NeonState;
  /** All requests since the start. */
  calls: NeonCall[];
  fail(fault: NeonFault | null): void;
  /** Take a snapshot as the schedule would have at `at`. */
  addSnapshot(at: Date): void;
  /** The branches besides the default one. */
  copies(): Branch[];
  close(): Promise<void>;
}

interface NeonState {
  historySeconds: number;
  schedule: Record<string, unknown>[];
  snapshots: Snapshot[];
  branches: Map<string, Branch>;
}

interface Snapshot {
  id: string;
  name: string;
  source_branch_id: string;
  created_at: string;
  expires_at?: string;
  manual: boolean;
  /** Taken through the API; the others hold nothing. */
  database: Promise<BranchDatabase> | undefined;
}

export interface Branch {
  id: string;
  name: string;
  parentId: string | undefined;
  parentTimestamp: string | undefined;
  createdAt: string;
  expiresAt: string | undefined;
  isDefault: boolean;
  isProtected: boolean;
  state: string;
  operationId: string | undefined;
  endpointId: string;
  database: Promise<BranchDatabase>;
}

interface Reply {
  status: number;
  body?: unknown;
}

const liveEndpointId = "ep-main-000001";
const hour = 3600;
const day = 24 * hour;
const snapshotSecondsMax = 35 * day;
const zeros = {
  active_time_seconds: 0,
  compute_time_seconds: 0,
  cpu_used_sec: 0,
  data_transfer_bytes: 0,
  written_data_bytes: 0,
};

/**
 * Neon's API over real databases: a branch is a copy, a restore restores. Requests and replies are checked against Neon's own
 * OpenAPI document; it also refuses what the real API refuses. `now` is the time at Neon.
 */
export async function startNeonEndpoint(
  databases: BranchDatabases,
  { now = () => new Date() }: { now?: () => Date } = {},
): Promise<NeonEndpoint> {
  const apiKey = `napi_${randomBytes(16).toString("hex")}`;
  const projectId = "quiet-river-123456";
  const branchId = "br-main-000001";
  const bornAt = new Date(now().getTime() - 400 * day * 1000).toISOString();
  const state: NeonState = {
    historySeconds: 7 * day,
    schedule: [],
    snapshots: [],
    branches: new Map([
      [
        branchId,
        {
          id: branchId,
          name: "main",
          parentId: undefined,
          parentTimestamp: undefined,
          createdAt: bornAt,
          expiresAt: undefined,
          isDefault: true,
          isProtected: false,
          state: "ready",
          operationId: undefined,
          endpointId: liveEndpointId,
          database: Promise.resolve(databases.live),
        },
      ],
    ]),
  };
  const operations = new Map<string, { branchId: string; action: string; done: () => string }>();
  const calls: NeonCall[] = [];
  const faults = faultsOnDemand<NeonFault>();

  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => {
      response.writeHead(599).end(error.message);
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://neon");
    const body = await readJson(request);
    const operation = findOperation(request.method ?? "GET", pathname);
    if (!operation) return send(response, refused(404, "not found"));
    const given = faults.next(({ operationId = operation.id }) => operationId === operation.id);
    const reply = await replyTo(request, operation, searchParams, body, given);
    operation.requireAnswer(reply.status, reply.body);
    calls.push({
      operationId: operation.id,
      path: pathname,
      headers: request.headers,
      given: body,
      status: reply.status,
      body: reply.body,
    });
    if (given?.kind === "hang") return;
    if (given?.kind === "lose-reply") return void response.socket?.resetAndDestroy();
    const text = given?.kind === "rewrite" ? given.rewrite(structuredClone(reply.body)) : undefined;
    send(response, reply, text);
  }

  async function replyTo(
    request: IncomingMessage,
    operation: NonNullable<ReturnType<typeof findOperation>>,
    query: URLSearchParams,
    body: unknown,
    given: NeonFault | null,
  ): Promise<Reply> {
    if (given?.kind === "status") return refused(given.status, "a fault of the test");
    if (request.headers.authorization !== `Bearer ${apiKey}`) {
      return refused(401, "not authenticated");
    }
    const problem = operation.refuses(query, body);
    if (problem) return refused(400, problem);
    if (operation.params.project_id !== projectId) return refused(404, "project not found");
    const handler = handlers[operation.id];
    if (!handler) return refused(404, `the stand-in has no ${operation.id}`);
    return handler({ params: operation.params, query, body: body as never });
  }

  interface Given {
    params: Record<string, string>;
    query: URLSearchParams;
    // biome-ignore lint/suspicious/noExplicitAny: validated against the document
    body: any;
  }

  const branchOf = ({ params }: Given) => state.branches.get(params.branch_id ?? "");
  const noBranch = () => refused(404, "branch not found");

  const handlers: Record<string, (given: Given) => Reply | Promise<Reply>> = {
    getProject: () => ({ status: 200, body: { project: project() } }),
    getProjectBranch: (given) => {
      const branch = branchOf(given);
      if (!branch) return noBranch();
      const object = { type: "console/branch", id: branch.id };
      return {
        status: 200,
        body: { branch: shown(branch), annotation: { object, value: {} } },
      };
    },
    listProjectBranches({ query }) {
      const search = query.get("search") ?? "";
      const limit = Number(query.get("limit") ?? 10_000);
      const from = Number(query.get("cursor") ?? 0);
      const found = [...state.branches.values()].filter(
        ({ id, name }) => id.includes(search) || name.includes(search),
      );
      const page = found.slice(from, from + limit);
      const next = from + limit < found.length ? { next: String(from + limit) } : {};
      return {
        status: 200,
        body: { branches: page.map(shown), annotations: {}, pagination: next },
      };
    },
    createProjectBranch({ body = {} }) {
      const { branch = {}, endpoints = [] } = body;
      const parent = state.branches.get(branch.parent_id ?? branchId);
      if (!parent) return refused(404, "parent branch not found");
      const nowMs = now().getTime();
      const at = branch.parent_timestamp ? new Date(branch.parent_timestamp) : now();
      const isInWindow =
        at.getTime() <= nowMs && at.getTime() >= nowMs - state.historySeconds * 1000;
      if (!isInWindow || at < new Date(parent.createdAt)) {
        return refused(400, "the timestamp is outside the history of the branch");
      }
      if (branch.expires_at && !isSoon(branch.expires_at, 30 * day)) {
        return refused(400, "expires_at must be in the next 30 days");
      }
      const made = addBranch({
        name: branch.name ?? `br-${state.branches.size}`,
        parentId: parent.id,
        parentTimestamp: at.toISOString(),
        expiresAt: branch.expires_at,
        database: parent.isDefault
          ? databases.copyOfLive(at)
          : parent.database.then((database) => databases.copyOf(database)),
      });
      return {
        status: 201,
        body: {
          branch: shown(made),
          endpoints: endpoints.length > 0 ? [endpointOf(made)] : [],
          operations: [operationOf(made.operationId ?? "")],
          roles: [],
          databases: [],
        },
      };
    },
    deleteProjectBranch(given) {
      const branch = branchOf(given);
      if (!branch) return { status: 204 };
      if (branch.isDefault) return refused(422, "the default branch cannot be deleted");
      if (branch.isProtected) return refused(422, "a protected branch cannot be deleted");
      if ([...state.branches.values()].some(({ parentId }) => parentId === branch.id)) {
        return refused(422, "a branch with children cannot be deleted");
      }
      if (branch.state === "init") return refused(423, "the branch has running operations");
      state.branches.delete(branch.id);
      const id = begin(branch.id, "delete_timeline", () => "finished");
      void branch.database.then((database) => database.drop()).catch(() => {});
      return { status: 200, body: { branch: shown(branch), operations: [operationOf(id)] } };
    },
    getSnapshotSchedule: (given) =>
      branchOf(given) ? { status: 200, body: { schedule: state.schedule } } : noBranch(),
    setSnapshotSchedule(given) {
      if (!branchOf(given)) return noBranch();
      const items = given.body.schedule as { frequency: string; retention_seconds?: number }[];
      for (const { frequency, retention_seconds: retention = 0 } of items) {
        if (!["daily", "weekly", "monthly"].includes(frequency)) {
          return refused(400, `a schedule cannot be ${frequency}`);
        }
        if (retention > snapshotSecondsMax)
          return refused(400, "retention_seconds is over 35 days");
      }
      state.schedule = items;
      return { status: 200, body: {} };
    },
    listSnapshots: () => ({
      status: 200,
      body: { snapshots: state.snapshots.map(shownSnapshot) },
    }),
    // As the real API, this ignores a body.
    createSnapshot(given) {
      const branch = branchOf(given);
      if (!branch) return noBranch();
      const { query } = given;
      const expiresAt = query.get("expires_at");
      if (expiresAt && !isSoon(expiresAt, snapshotSecondsMax)) {
        return refused(400, "expires_at must be in the next 35 days");
      }
      if (query.has("timestamp") || query.has("lsn")) {
        return refused(400, "the stand-in takes snapshots of the present only");
      }
      const snapshot: Snapshot = {
        ...newSnapshot(now(), true),
        name: query.get("name") ?? `snapshot-${state.snapshots.length}`,
        source_branch_id: branch.id,
        ...(expiresAt ? { expires_at: expiresAt } : {}),
        database: branch.database.then((database) => databases.copyOf(database)),
      };
      state.snapshots.push(snapshot);
      return { status: 200, body: { snapshot: shownSnapshot(snapshot), operations: [] } };
    },
    restoreSnapshot({ params, body = {} }) {
      const snapshot = state.snapshots.find(({ id }) => id === params.snapshot_id);
      if (!snapshot) return refused(404, "snapshot not found");
      const target = state.branches.get(body.target_branch_id ?? snapshot.source_branch_id);
      if (!target) return noBranch();
      if (!snapshot.database) return refused(400, "the snapshot of the stand-in holds nothing");
      const made = addBranch({
        name: body.name ?? `${target.name}-restored`,
        parentId: undefined,
        parentTimestamp: undefined,
        expiresAt: undefined,
        database: snapshot.database.then((database) => databases.copyOf(database)),
      });
      if (body.finalize_restore) finalize(made, target);
      return {
        status: 200,
        body: { branch: shown(made), operations: [operationOf(made.operationId ?? "")] },
      };
    },
    finalizeRestoreBranch(given) {
      const branch = branchOf(given);
      if (!branch) return noBranch();
      const target = state.branches.get(given.body?.target_branch_id ?? branchId);
      if (target) finalize(branch, target);
      return { status: 200, body: { operations: [operationOf(branch.operationId ?? "")] } };
    },
    getProjectOperation: ({ params }) =>
      operations.has(params.operation_id ?? "")
        ? { status: 200, body: { operation: operationOf(params.operation_id ?? "") } }
        : refused(404, "operation not found"),
    listProjectEndpoints: () => ({
      status: 200,
      body: { endpoints: [...state.branches.values()].map(endpointOf) },
    }),
    async getConnectionURI({ query }) {
      const branch = state.branches.get(query.get("branch_id") ?? branchId);
      if (!branch) return noBranch();
      if (branch.state !== "ready") return refused(423, "the branch has running operations");
      return { status: 200, body: { uri: (await branch.database).uri } };
    },
  };

  /** The restored branch takes the name, the compute and the place of the target. */
  function finalize(branch: Branch, target: Branch): void {
    [branch.endpointId, target.endpointId] = [target.endpointId, branch.endpointId];
    [branch.isDefault, target.isDefault] = [target.isDefault, false];
    [branch.name, target.name] = [target.name, `${target.name} (old)`];
  }

  function addBranch(
    given: Pick<Branch, "name" | "parentId" | "parentTimestamp" | "expiresAt" | "database">,
  ): Branch {
    const suffix = randomBytes(4).toString("hex");
    const branch: Branch = {
      ...given,
      id: `br-copy-${suffix}`,
      createdAt: now().toISOString(),
      isDefault: false,
      isProtected: false,
      state: "init",
      operationId: undefined,
      endpointId: `ep-copy-${suffix}`,
    };
    let status = "running";
    branch.operationId = begin(branch.id, "create_branch", () => status);
    branch.database.then(
      () => {
        status = "finished";
        branch.state = "ready";
      },
      () => {
        status = "failed";
      },
    );
    state.branches.set(branch.id, branch);
    return branch;
  }

  function begin(forBranch: string, action: string, done: () => string): string {
    const id = randomUUID();
    operations.set(id, { branchId: forBranch, action, done });
    return id;
  }

  function operationOf(id: string) {
    const operation = operations.get(id);
    return {
      id,
      project_id: projectId,
      branch_id: operation?.branchId,
      action: operation?.action,
      status: operation?.done(),
      failures_count: 0,
      created_at: now().toISOString(),
      updated_at: now().toISOString(),
      total_duration_ms: 0,
    };
  }

  function shown(branch: Branch) {
    const { id, name, parentId, parentTimestamp, createdAt, expiresAt, isDefault } = branch;
    return {
      id,
      project_id: projectId,
      name,
      ...(parentId && { parent_id: parentId }),
      ...(parentTimestamp && { parent_timestamp: parentTimestamp }),
      current_state: branch.state,
      state_changed_at: createdAt,
      creation_source: "console",
      created_at: createdAt,
      updated_at: createdAt,
      ...(expiresAt && { expires_at: expiresAt }),
      default: isDefault,
      protected: branch.isProtected,
      ...zeros,
    };
  }

  function endpointOf({ id, endpointId, createdAt }: Branch) {
    const isLive = endpointId === liveEndpointId;
    const host = isLive ? hostOf(databases.live.uri) : `${endpointId}.stand-in.neon.tech`;
    return {
      host,
      id: endpointId,
      project_id: projectId,
      branch_id: id,
      region_id: "aws-eu-central-1",
      autoscaling_limit_min_cu: 0.25,
      autoscaling_limit_max_cu: 0.25,
      type: "read_write",
      current_state: "init",
      pooler_enabled: false,
      pooler_mode: "transaction",
      disabled: false,
      passwordless_access: false,
      creation_source: "console",
      created_at: createdAt,
      updated_at: createdAt,
      settings: {},
      proxy_host: host,
      suspend_timeout_seconds: 0,
      provisioner: "k8s-neonvm",
    };
  }

  function project() {
    const at = now().toISOString();
    return {
      id: projectId,
      name: "linguamate",
      platform_id: "aws",
      region_id: "aws-eu-central-1",
      pg_version: 16,
      proxy_host: "stand-in.neon.tech",
      provisioner: "k8s-neonvm",
      store_passwords: true,
      creation_source: "console",
      owner_id: "owner",
      branch_logical_size_limit: 0,
      branch_logical_size_limit_bytes: 0,
      data_storage_bytes_hour: 0,
      ...zeros,
      consumption_period_start: at,
      consumption_period_end: at,
      history_retention_seconds: state.historySeconds,
      created_at: bornAt,
      updated_at: at,
    };
  }

  function newSnapshot(at: Date, manual: boolean): Snapshot {
    return {
      id: `snap-${randomBytes(6).toString("hex")}`,
      name: `daily ${at.toISOString()}`,
      source_branch_id: branchId,
      created_at: at.toISOString(),
      manual,
      database: undefined,
    };
  }

  const isSoon = (text: string, secondsMax: number) => {
    const afterMs = Date.parse(text) - now().getTime();
    return afterMs > 0 && afterMs <= secondsMax * 1000;
  };

  const { url, close } = await listenLocally(server);
  return {
    url,
    apiKey,
    projectId,
    branchId,
    state,
    calls,
    fail: faults.fail,
    addSnapshot: (at) => void state.snapshots.push(newSnapshot(at, false)),
    copies: () => [...state.branches.values()].filter(({ id }) => id !== branchId),
    async close() {
      await close();
      for (const { database } of state.branches.values()) {
        await database.then((each) => each.drop()).catch(() => {});
      }
      await databases.close();
    },
  };
}

function shownSnapshot({ database: _, ...snapshot }: Snapshot) {
  return snapshot;
}

function refused(status: number, message: string): Reply {
  return { status, body: { code: "", message, request_id: randomUUID() } };
}

function send(response: ServerResponse, { status, body }: Reply, text?: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(text ?? (body === undefined ? undefined : JSON.stringify(body)));
}

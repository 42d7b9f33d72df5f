import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { faultsOnDemand } from "../faults-on-demand.js";
import { listenLocally } from "../listen-locally.js";

/** A deployment as GET /v6/deployments lists it. */
export interface VercelDeployment {
  uid: string;
  name: string;
  url: string;
  created: number;
  target: "production" | "staging" | null;
  state: "QUEUED" | "BUILDING" | "READY" | "ERROR" | "CANCELED";
  readySubstate?: "STAGED" | "ROLLING" | "PROMOTED";
  buildingAt?: number;
  ready?: number;
  aliasAssigned?: number | boolean;
  creator: { uid: string };
  meta: Record<string, string>;
}

/** A fault for the next `times` requests (default: all). */
type VercelFault = { times?: number } & (
  | { kind: "status"; status: number; retryAfterSeconds?: number }
  | { kind: "reset" | "hang" | "half-body" | "invalid-json" | "wrong-schema" }
);

export interface VercelEndpoint {
  url: string;
  token: string;
  projectId: string;
  teamId: string;
  /** The path and query of each request. */
  requests: string[];
  deployments: VercelDeployment[];
  /** What `vercel promote` and `vercel rollback` do, without a webhook. */
  pointTo(uid: string, type: "promote" | "rollback", at: number): void;
  live(): string | undefined;
  fail(fault: VercelFault | null): void;
  close(): Promise<void>;
}

/** Vercel's limit and default of a page. */
const pageSizes = { max: 100, byDefault: 20 };

/** Serve the part of Vercel's API that the deployment log reads, on a free local port. Source: vercel.com/docs/rest-api. */
export async function startVercelEndpoint(): Promise<VercelEndpoint> {
  const [token, projectId, teamId] = ["vercel_token_of_the_tests", "prj_own", "team_own"];
  const faults = faultsOnDemand<VercelFault>();
  const requests: string[] = [];
  const deployments: VercelDeployment[] = [];
  let lastAliasRequest: object | null = null;
  let live: string | undefined;

  const server = createServer((request, response) => {
    const fault = faults.next();
    requests.push(request.url ?? "");
    if (fault?.kind === "hang") return;
    if (fault?.kind === "reset") return void response.socket?.resetAndDestroy();
    const reply =
      fault?.kind === "status" ? refusal(fault.status, "on_demand") : answer(request, request.url);
    const headers: Record<string, string> =
      fault?.kind === "status" && fault.retryAfterSeconds !== undefined
        ? { "retry-after": String(fault.retryAfterSeconds) }
        : {};
    const body = fault?.kind === "wrong-schema" ? { other: [] } : reply.body;
    write(response, { ...reply, body, headers }, fault?.kind);
  });

  function answer({ method, headers }: IncomingMessage, target = "/") {
    const { pathname, searchParams } = new URL(target, "http://endpoint");
    if (headers.authorization !== `Bearer ${token}`) {
      return {
        status: 403,
        body: { error: { code: "forbidden", message: "Not authorized", invalidToken: true } },
      };
    }
    if (method !== "GET") return refusal(405, "method_not_allowed");
    // A project of a team is not found without the team.
    const isOwnTeam = searchParams.get("teamId") === teamId;
    if (pathname === `/v9/projects/${projectId}` && isOwnTeam) {
      const production = live === undefined ? null : { id: live, target: "production" };
      return { status: 200, body: { id: projectId, targets: { production }, lastAliasRequest } };
    }
    if (pathname.startsWith("/v9/projects/")) return refusal(404, "not_found");
    if (pathname !== "/v6/deployments") return refusal(404, "not_found");
    const isOwnProject = isOwnTeam && searchParams.get("projectId") === projectId;
    return page(isOwnProject ? deployments : [], searchParams);
  }

  return {
    ...(await listenLocally(server)),
    ...{ token, projectId, teamId, requests, deployments },
    live: () => live,
    pointTo(uid, type, requestedAt) {
      const fromDeploymentId = live ?? "";
      live = uid;
      lastAliasRequest = {
        fromDeploymentId,
        toDeploymentId: uid,
        jobStatus: "succeeded",
        requestedAt,
        type,
      };
    },
    fail: faults.fail,
  };
}

function page(all: readonly VercelDeployment[], query: URLSearchParams) {
  const limit = Number(query.get("limit") ?? pageSizes.byDefault);
  if (!(limit >= 1 && limit <= pageSizes.max)) return refusal(400, "bad_request");
  const [since, until] = [
    Number(query.get("since") ?? 0),
    Number(query.get("until") ?? Number.POSITIVE_INFINITY),
  ];
  const target = query.get("target");
  const found = all
    .filter((each) => target === null || each.target === target)
    .filter(({ created }) => created > since && created < until)
    .sort((one, other) => other.created - one.created);
  const shown = found.slice(0, limit);
  const next = found.length > limit ? (shown.at(-1)?.created ?? null) : null;
  const prev = shown[0]?.created ?? null;
  const listed = shown.map((each) => ({
    ...each,
    createdAt: each.created,
    readyState: each.state,
  }));
  return {
    status: 200,
    body: { deployments: listed, pagination: { count: shown.length, next, prev } },
  };
}

const refusal = (status: number, code: string) => ({
  status,
  body: { error: { code, message: code } },
});

function write(
  response: ServerResponse,
  { status, body, headers }: { status: number; body: object; headers: Record<string, string> },
  fault: VercelFault["kind"] | undefined,
): void {
  const text = fault === "invalid-json" ? "<html>" : JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...headers,
  });
  if (fault !== "half-body") response.end(text);
  else response.write(text.slice(0, text.length / 2), () => response.socket?.resetAndDestroy());
}

import { createServer, type IncomingMessage } from "node:http";
import { faultsOnDemand } from "./faults-on-demand.js";
import { listenLocally } from "./listen-locally.js";

export interface JsonRequest {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  /** Undefined if the body is not JSON. */
  body: unknown;
}

export interface JsonReply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** A fault for the next `times` requests (default: all). */
type JsonFault = { times?: number } & (
  | { kind: "error"; status: number }
  | { kind: "rate-limit"; retryAfterSeconds: number }
  /** The request is accepted, but the reply is lost. */
  | { kind: "lose-reply" }
  | { kind: "hang" }
);

export interface JsonEndpoint {
  url: string;
  requests(): number;
  fail(fault: JsonFault | null): void;
  close(): Promise<void>;
}

/** Serve JSON over HTTP on a free local port, with faults on request. */
export async function startJsonEndpoint(
  answer: (request: JsonRequest) => JsonReply,
): Promise<JsonEndpoint> {
  const faults = faultsOnDemand<JsonFault>();
  let requests = 0;
  const server = createServer(async (request, response) => {
    requests += 1;
    const now = faults.next();
    const body = await readJson(request);
    if (now?.kind === "hang") return;
    const { method = "GET", url = "/", headers } = request;
    const { pathname: path } = new URL(url, "http://endpoint");
    const reply = failed(now) ?? answer({ method, path, headers, body });
    if (now?.kind === "lose-reply") return void response.socket?.resetAndDestroy();
    const type = typeof reply.body === "string" ? "text/plain" : "application/json";
    response.writeHead(reply.status, { "content-type": type, ...reply.headers });
    response.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body));
  });
  return {
    ...(await listenLocally(server)),
    requests: () => requests,
    fail: faults.fail,
  };
}

function failed(fault: JsonFault | null): JsonReply | undefined {
  if (fault?.kind === "error") return { status: fault.status, body: "error" };
  if (fault?.kind !== "rate-limit") return undefined;
  const headers = { "retry-after": String(fault.retryAfterSeconds) };
  return { status: 429, body: "rate limited", headers };
}

/** Undefined when it is not JSON. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return undefined;
  }
}

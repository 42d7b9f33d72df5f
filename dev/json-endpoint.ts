import { createServer, type IncomingMessage } from "node:http";
import { faultsOnDemand, listenLocally } from "./stand-in.js";

/** A request as a stand-in sees it. */
export interface JsonRequest {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  /** Undefined where the body is no JSON. */
  body: unknown;
}

export interface JsonReply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** What befalls the next `times` requests (all of them when it is left out). */
export type JsonFault = { times?: number } & (
  | { kind: "error"; status: number }
  | { kind: "rate-limit"; retryAfterSeconds: number }
  /** It is taken, but the sender is not told. */
  | { kind: "lose-reply" }
  | { kind: "hang" }
);

export interface JsonEndpoint {
  url: string;
  /** How many requests have arrived. */
  requests(): number;
  fail(fault: JsonFault | null): void;
  close(): Promise<void>;
}

/** Serve JSON over HTTP on a free port of this machine, with faults on demand. */
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

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return undefined;
  }
}

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

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
  let fault: JsonFault | null = null;
  let hits = 0;
  let requests = 0;
  const server = createServer(async (request, response) => {
    requests += 1;
    hits += 1;
    const now = fault && hits <= (fault.times ?? Number.POSITIVE_INFINITY) ? fault : null;
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
  // Longer than any client keeps an idle connection: only faults that were asked for shall happen.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    fail(next) {
      fault = next;
      hits = 0;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
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

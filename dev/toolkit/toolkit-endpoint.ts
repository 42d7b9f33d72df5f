import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { faultsOnDemand } from "../faults-on-demand.js";
import { listenLocally } from "../listen-locally.js";
import { answerToolkit, type ToolkitReply, type ToolkitRequest } from "./toolkit-protocol.js";

/** A fault for the next `times` requests (default: all). */
export type ToolkitFault = { times?: number } & (
  | { kind: "status"; status: number; retryAfterSeconds?: number }
  | { kind: "latency"; ms: number }
  | { kind: "reset" | "hang" | "half-body" | "invalid-json" | "wrong-schema" }
);

export interface ToolkitEndpoint {
  url: string;
  apiKey: string;
  requests: ToolkitRequest[];
  fail(fault: ToolkitFault | null): void;
  close(): Promise<void>;
}

/** Serve a stand-in for the toolkit on a free local port. After `close` it refuses connections. */
export async function startToolkitEndpoint(apiKey: string): Promise<ToolkitEndpoint> {
  const answer = answerToolkit(apiKey);
  const requests: ToolkitRequest[] = [];
  const faults = faultsOnDemand<ToolkitFault>();

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.socket?.resetAndDestroy());
  });

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const now = faults.next();
    const request = await received(incoming);
    requests.push(request);
    if (requests.length > 1000) requests.shift();
    if (now?.kind === "hang") return;
    if (now?.kind === "reset") {
      response.socket?.resetAndDestroy();
      return;
    }
    if (now?.kind === "latency") await sleep(now.ms);
    const reply = now?.kind === "status" ? refusal(now) : await answer(request);
    const body =
      now?.kind === "wrong-schema" ? JSON.stringify({ other: [] }) : JSON.stringify(reply.body);
    const text = now?.kind === "invalid-json" ? `<html>${body}` : body;
    response.writeHead(reply.status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      ...reply.headers,
    });
    if (now?.kind !== "half-body") response.end(text);
    else {
      response.write(text.slice(0, text.length / 2), () => response.socket?.resetAndDestroy());
    }
  }

  return {
    ...(await listenLocally(server)),
    apiKey,
    requests,
    fail: faults.fail,
  };
}

function refusal(fault: { status: number; retryAfterSeconds?: number }): ToolkitReply {
  const { status, retryAfterSeconds } = fault;
  const headers: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  return { status, body: { error: "on demand" }, headers };
}

async function received(request: IncomingMessage): Promise<ToolkitRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const { method = "GET", url = "/" } = request;
  return {
    method,
    path: new URL(url, "http://endpoint").pathname,
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    ),
    body: new Uint8Array(Buffer.concat(chunks)),
  };
}

import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** A fault for the next `times` calls that `match`. A refused call never arrives, so it cannot be matched. */
export type Fault =
  | { kind: "refuse" }
  | ({
      times?: number;
      match?: (body: unknown, call: { method: string; path: string }) => boolean | Promise<boolean>;
    } & (
      | { kind: "latency"; ms: number }
      | {
          kind:
            | "reset"
            | "garbage"
            | "hang"
            | "lose-reply"
            | "unavailable"
            | "alter"
            | "cut-reply"
            | "stall-reply";
        }
    ));

export interface FaultCall {
  path: string;
  body: unknown;
}

export interface FaultProxy {
  url: string;
  /** The calls since the last `reset`, in order. */
  calls: FaultCall[];
  reset(): Promise<void>;
  set(fault: Fault | null): Promise<void>;
  /** Whether the fault delays or withholds replies. */
  isSlow(): boolean;
  close(): Promise<void>;
}

/**
 * A reverse proxy to a store's HTTP endpoint that records calls and causes faults on request. A listener of
 * this process is called directly, without HTTP.
 */
export async function startFaultProxy(target: string | http.RequestListener): Promise<FaultProxy> {
  const agent = new http.Agent({ keepAlive: true });
  const calls: FaultCall[] = [];
  let fault: Fault | null = null;
  let hits = 0;

  const server = http.createServer((request, response) => {
    serve(request, response).catch(() => cut(response));
  });
  // Longer than the idle timeout of any client, so that only requested faults happen.
  server.keepAliveTimeout = 120_000;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await readBytes(request);
    const { method = "GET", url: path = "/" } = request;
    const call = { path, body: parsed(bytes.toString("utf8")) };
    calls.push(call);
    await answer(await faultFor(call.body, { method, path }), request, response, bytes);
  }

  async function faultFor(
    body: unknown,
    call: { method: string; path: string },
  ): Promise<Fault | null> {
    const now = fault;
    if (now === null || now.kind === "refuse") return null;
    if ((await now.match?.(body, call)) === false) return null;
    hits += 1;
    return hits <= (now.times ?? Number.POSITIVE_INFINITY) ? now : null;
  }

  async function answer(
    now: Fault | null,
    request: IncomingMessage,
    response: ServerResponse,
    bytes: Buffer,
  ): Promise<void> {
    switch (now?.kind) {
      case "hang":
        return;
      case "reset":
        return cut(response);
      case "garbage":
        response.writeHead(200, { "content-type": "application/json" }).end("<html>\u0000{[");
        return;
      case "unavailable":
        response.writeHead(503, { "retry-after": "0" }).end();
        return;
      case "alter":
        if (bytes.length > 0) bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
        break;
      case "latency":
        await sleep(now.ms);
    }
    if (typeof target === "function") {
      if (now?.kind === "lose-reply") loseReply(response);
      return target(again(request, bytes), response as Answering);
    }
    const reply = await forward(new URL(target), agent, request, bytes);
    if (now?.kind === "lose-reply") return cut(response);
    if (now?.kind === "cut-reply" || now?.kind === "stall-reply") {
      const half = reply.body.subarray(0, reply.body.length >> 1);
      response.writeHead(reply.status, endToEnd(reply.headers));
      response.write(half, () => now.kind === "cut-reply" && cut(response));
      return;
    }
    response.writeHead(reply.status, endToEnd(reply.headers)).end(reply.body);
  }

  async function listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => {
        server.off("error", reject);
        resolve();
      });
    });
  }

  async function stop(): Promise<void> {
    if (!server.listening) return;
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
    // Clients need some time to notice; until then they would reuse a closed connection.
    await sleep(10);
  }

  async function set(next: Fault | null): Promise<void> {
    fault = next;
    hits = 0;
    if (next?.kind === "refuse") await stop();
    else if (!server.listening) await listen(port);
  }

  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    set,
    isSlow: () => fault?.kind === "hang" || fault?.kind === "latency",
    async reset() {
      calls.length = 0;
      await set(null);
    },
    async close() {
      await stop();
      agent.destroy();
    },
  };
}

interface Reply {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

function forward(
  origin: URL,
  agent: http.Agent,
  request: IncomingMessage,
  bytes: Buffer,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      new URL(request.url ?? "/", origin),
      {
        method: request.method ?? "POST",
        headers: { ...request.headers, host: origin.host },
        agent,
      },
      (incoming) => {
        readBytes(incoming).then(
          (body) =>
            resolve({ status: incoming.statusCode ?? 502, headers: incoming.headers, body }),
          reject,
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end(bytes);
  });
}

type Answering = Parameters<http.RequestListener>[1];

/** The request as it was before its body was read. */
function again({ method, url, headers }: IncomingMessage, bytes: Buffer): IncomingMessage {
  return Object.assign(Readable.from([bytes]), { method, url, headers }) as IncomingMessage;
}

function loseReply(response: ServerResponse): void {
  response.writeHead = () => response;
  response.end = () => {
    cut(response);
    return response;
  };
}

function endToEnd(headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders {
  const { connection, "keep-alive": _, "transfer-encoding": __, ...rest } = headers;
  return rest;
}

function cut(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

async function readBytes(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

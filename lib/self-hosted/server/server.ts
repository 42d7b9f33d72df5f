import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { bodyLimits } from "../../body-limits.js";
import { type Client, createClientReader } from "./client.js";
import { compressReply } from "./compression.js";
import { errorReply } from "./error-reply.js";
import { invoke, type LoadedFunction } from "./invocation.js";
import { discardUnreadBody, isBodyTooLarge, streamBody } from "./request-body.js";
import { createRequestId, setPlatformHeaders } from "./request-headers.js";
import { createRouter } from "./routes.js";
import { findStaticFile } from "./static-files.js";
import { installWaitUntil, pendingWorkDone } from "./wait-until.js";

/** A URL path and the function behind it. `load` is called for each request: it keeps what it loaded. */
export interface Route {
  path: string;
  load(): Promise<LoadedFunction>;
}

/** Where the server tells of a failure that a client sees only as a bare status. */
export type ServerLog = (message: string, error: unknown) => void;

export interface ServerOptions {
  port: number;
  host?: string;
  /** Asked at each request; another array replaces the routes. */
  routes: () => readonly Route[];
  publicDirectory: string;
  /** CIDR blocks or addresses whose `X-Forwarded-For` is believed. */
  trustedProxies: readonly string[];
  log: ServerLog;
}

export interface RunningServer {
  port: number;
  /** Stop accepting, finish the requests in flight and the work handed to `waitUntil`. */
  close(): Promise<void>;
}

/** The host of a request of HTTP/1.0 that names none, as load balancers ask for health. Never a real one (RFC 6761). */
const hostUnknown = "unknown.invalid";
const urlBytesMax = 14 * 1024;
const headerBytesMax = 32 * 1024;
/**
 * Requests of one connection that wait for their replies. Clients and proxies send one at a time; a flood
 * of 40 bytes each would hold 100 times its size in memory.
 */
const pipelinedMax = 16;

/**
 * Serve functions and a public folder over HTTP as the platform does, its limits, headers and error
 * replies included. Rejects when the port cannot be had (`EADDRINUSE`).
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  /** The replies that each connection waits for. */
  const connections = new Map<Socket, Set<ServerResponse>>();
  const answer = createAnswer(options);
  const listener = getRequestListener((request, env) => answer(request, env as HttpBindings), {
    errorHandler: () => errorReply("BAD_REQUEST", createRequestId()),
    // What was not read of a body is discarded here.
    autoCleanupIncoming: false,
    hostname: hostUnknown,
  });
  let isClosing = false;
  const server = http.createServer(
    {
      // Room for a URL and headers that are each too long, so that each gets its own status.
      maxHeaderSize: urlBytesMax + headerBytesMax + 2048,
      headersTimeout: 15_000,
      // Beyond what a body may take: who reads it, or discards it, decides.
      requestTimeout: bodyLimits.arrivalMsMax + 60_000,
      connectionsCheckingInterval: 5_000,
      // Longer than the idle time of common load balancers (60 s), which then close first.
      keepAliveTimeout: 65_000,
    },
    (incoming, outgoing) => {
      const { socket } = incoming;
      const waiting = connections.get(socket);
      // What was read before the connection was cut still comes here.
      if (waiting === undefined || socket.destroyed) return;
      if (waiting.size === pipelinedMax) {
        stopParsing(socket);
        socket.destroy();
        return;
      }
      waiting.add(outgoing);
      outgoing.once("close", () => waiting.delete(outgoing));
      if (isClosing) outgoing.shouldKeepAlive = false;
      compressReply(incoming, outgoing);
      discardUnreadBody(incoming, outgoing);
      void listener(incoming, outgoing);
    },
  );
  server.on("connection", (socket) => {
    const waiting = new Set<ServerResponse>();
    connections.set(socket, waiting);
    socket.once("close", () => {
      connections.delete(socket);
      // Node.js tells it only to the first of them, and each holds timers until it knows.
      setImmediate(() => {
        for (const outgoing of waiting) outgoing.emit("close");
      });
    });
  });
  installWaitUntil((error) => options.log("Work after the reply failed.", error));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      isClosing = true;
      for (const outgoing of [...connections.values()].flatMap((waiting) => [...waiting])) {
        outgoing.shouldKeepAlive = false;
      }
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Node.js would wait for those that have not sent a request yet.
      for (const [socket, waiting] of connections) if (waiting.size === 0) socket.destroy();
      await closed;
      await pendingWorkDone();
    },
  };
}

/**
 * Stop Node.js from making objects of every request in the 64 KB that it has read. It has no public way:
 * 2 tells its parser that what follows is not HTTP.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as { parser?: { onIncoming?: () => number } | null };
  if (parser) parser.onIncoming = () => 2;
}

function createAnswer(options: ServerOptions) {
  const readClient = createClientReader(options.trustedProxies);
  let routes: readonly Route[] = [];
  let findRoute = createRouter(routes);
  return async (request: Request, { incoming, outgoing }: HttpBindings): Promise<Response> => {
    const requestId = createRequestId();
    const target = incoming.url ?? "";
    // The absolute form is for proxies; here its host could contradict the Host header.
    if (!target.startsWith("/") || !hasUsableHost(incoming)) {
      return errorReply("BAD_REQUEST", requestId);
    }
    if (target.length > urlBytesMax) return errorReply("URL_TOO_LONG", requestId);
    if (headerBytes(incoming) > headerBytesMax) {
      return errorReply("REQUEST_HEADER_TOO_LARGE", requestId);
    }
    setPlatformHeaders(incoming, clientOf(incoming, readClient), requestId);
    if (routes !== options.routes()) {
      routes = options.routes();
      findRoute = createRouter(routes);
    }
    const pathname = pathOf(request.url);
    const route = findRoute(pathname);
    if (!route) return answerFile(options.publicDirectory, pathname, request.method, requestId);
    if (isBodyTooLarge(incoming)) return errorReply("FUNCTION_PAYLOAD_TOO_LARGE", requestId);
    streamBody(request, incoming);
    return invoke(route, request, { outgoing, requestId, log: options.log });
  };
}

async function answerFile(
  publicDirectory: string,
  pathname: string,
  method: string,
  requestId: string,
): Promise<Response> {
  const file = await findStaticFile(publicDirectory, pathname);
  if (!file) return errorReply("NOT_FOUND", requestId);
  return method === "GET" || method === "HEAD" ? file : errorReply("METHOD_NOT_ALLOWED", requestId);
}

function clientOf(
  incoming: IncomingMessage,
  readClient: ReturnType<typeof createClientReader>,
): Client {
  return readClient({
    socketAddress: incoming.socket.remoteAddress ?? "",
    forwardedFor: joined(incoming.headers["x-forwarded-for"]),
    forwardedProto: joined(incoming.headers["x-forwarded-proto"]),
  });
}

function joined(header: string | string[] | undefined): string | undefined {
  return header === undefined ? undefined : String(header);
}

/** RFC 9112, section 3.2: one host, and none only in HTTP/1.0. */
function hasUsableHost({ rawHeaders, headers, httpVersion }: IncomingMessage): boolean {
  const hosts = rawHeaders.filter((text, index) => index % 2 === 0 && /^host$/i.test(text)).length;
  return hosts === 1 ? headers.host !== "" : hosts === 0 && httpVersion === "1.0";
}

function headerBytes(incoming: IncomingMessage): number {
  return incoming.rawHeaders.reduce((bytes, text) => bytes + text.length + 2, 0);
}

function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const end = url.indexOf("?", start);
  return end === -1 ? url.slice(start) : url.slice(start, end);
}

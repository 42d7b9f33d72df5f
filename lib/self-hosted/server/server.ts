import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { bodyLimits } from "../../body-limits.js";
import { type CallerInfo, createClientReader } from "./client.js";
import { CompressingResponse } from "./compression.js";
import { errorReply, type PlatformError } from "./error-reply.js";
import { invoke, type LoadedFunction } from "./invocation.js";
import { readableByPages } from "./readable-by-pages.js";
import { discardUnreadBody, isBodyTooLarge, mayHaveBody, streamBody } from "./request-body.js";
import { createRequestId, setPlatformHeaders } from "./request-headers.js";
import { createRouter } from "./routes.js";
import { findStaticFile } from "./static-files.js";
import { installWaitUntil, pendingWorkDone } from "./wait-until.js";

/** `load` is called for each request and must cache. */
export interface Route {
  path: string;
  load(): Promise<LoadedFunction>;
}

/** For failures of which clients see only the status. */
type ServerLog = (message: string, error: unknown) => void;

export interface ServerOptions {
  port: number;
  host?: string;
  /** Read on each request; a new array replaces the routes. */
  routes: () => readonly Route[];
  /** Answers what neither a route nor a file answers. */
  unmatched: LoadedFunction;
  publicDirectory: string;
  /** Addresses or CIDR blocks whose `X-Forwarded-For` is trusted. */
  trustedProxies: readonly string[];
  log: ServerLog;
}

export interface RunningServer {
  port: number;
  /** Waits for requests in flight and `waitUntil` work; idle connections are cut, and after 8 s those with a reply. */
  close(): Promise<void>;
}

/** For HTTP/1.0 health checks without Host; never a real host (RFC 6761). */
const hostUnknown = "unknown.invalid";
const urlBytesMax = 14 * 1024;
const headerBytesMax = 32 * 1024;
/** Pipelined requests per connection. A flood of small requests would need 100 times their size in memory. */
const pipelinedMax = 16;
/** For replies at shutdown, before `closeOnSignal` ends the process: a cut one is still logged and counted. */
const repliesMsMax = 8000;

/** Serves routes, else files, as the platform does, else `unmatched`. Installs `waitUntil` globally. Rejects if the port is in use (`EADDRINUSE`). */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  /** Open replies per connection. */
  const connections = new Map<Socket, Set<ServerResponse>>();
  const answer = createAnswer(options);
  const listener = getRequestListener((request, env) => answer(request, env as HttpBindings), {
    errorHandler: () => errorReply("BAD_REQUEST", createRequestId()),
    // Done by discardUnreadBody.
    autoCleanupIncoming: false,
    hostname: hostUnknown,
  });
  let isClosing = false;
  const server = http.createServer(
    {
      ServerResponse: CompressingResponse,
      // Large enough that an oversized URL or header gets its own status.
      maxHeaderSize: urlBytesMax + headerBytesMax + 2048,
      headersTimeout: 15_000,
      // Longer than bodyLimits, which apply first.
      requestTimeout: bodyLimits.totalMsMax + 60_000,
      connectionsCheckingInterval: 5_000,
      // Longer than the idle timeout of common load balancers (60 s), so that they close first.
      keepAliveTimeout: 65_000,
    },
    (incoming, outgoing) => {
      const { socket } = incoming;
      const openReplies = connections.get(socket);
      // Node.js still emits requests that it read before the socket was destroyed.
      if (openReplies === undefined || socket.destroyed) return;
      if (openReplies.size === pipelinedMax) {
        stopParsing(socket);
        socket.destroy();
        return;
      }
      openReplies.add(outgoing);
      outgoing.once("close", () => openReplies.delete(outgoing));
      if (isClosing) outgoing.shouldKeepAlive = false;
      if (mayHaveBody(incoming)) discardUnreadBody(incoming, outgoing);
      void listener(incoming, outgoing);
    },
  );
  server.on("connection", (socket) => {
    const openReplies = new Set<ServerResponse>();
    connections.set(socket, openReplies);
    socket.once("close", () => {
      connections.delete(socket);
      // Node.js emits "close" only on the first reply, but each has timers to clear.
      setImmediate(() => {
        for (const outgoing of openReplies) outgoing.emit("close");
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
      for (const outgoing of [...connections.values()].flatMap((openReplies) => [...openReplies])) {
        outgoing.shouldKeepAlive = false;
      }
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // server.close() would wait for connections without a request.
      for (const [socket, openReplies] of connections) if (openReplies.size === 0) socket.destroy();
      const cutting = setTimeout(() => {
        for (const socket of connections.keys()) socket.destroy();
      }, repliesMsMax);
      await closed;
      clearTimeout(cutting);
      await pendingWorkDone();
    },
  };
}

/** Stop the parser, which would create objects for every request in its 64 KB buffer. 2 means "not HTTP"; no public API. */
function stopParsing(socket: Socket): void {
  const { parser } = socket as { parser?: { onIncoming?: () => number } | null };
  if (parser) parser.onIncoming = () => 2;
}

function createAnswer(options: ServerOptions) {
  const readClient = createClientReader(options.trustedProxies);
  const unmatched: Route = { path: "unmatched", load: async () => options.unmatched };
  let routes: readonly Route[] = [];
  let findRoute = createRouter(routes);
  return async (request: Request, { incoming, outgoing }: HttpBindings): Promise<Response> => {
    const requestId = createRequestId();
    const refuse = (code: PlatformError) => readableByPages(request, errorReply(code, requestId));
    const target = incoming.url ?? "";
    // An absolute URL is for proxies; its host could differ from the Host header.
    if (!target.startsWith("/") || !hasUsableHost(incoming)) {
      return refuse("BAD_REQUEST");
    }
    if (target.length > urlBytesMax) return refuse("URL_TOO_LONG");
    if (headerBytes(incoming) > headerBytesMax) {
      return refuse("REQUEST_HEADER_TOO_LARGE");
    }
    setPlatformHeaders(incoming, clientOf(incoming, readClient), requestId);
    if (routes !== options.routes()) {
      routes = options.routes();
      findRoute = createRouter(routes);
    }
    const pathname = pathOf(request.url);
    const route = findRoute(pathname);
    const file = route ? undefined : await findStaticFile(options.publicDirectory, pathname);
    if (file) {
      const isRead = request.method === "GET" || request.method === "HEAD";
      return isRead ? file : refuse("METHOD_NOT_ALLOWED");
    }
    if (route && isBodyTooLarge(incoming)) return refuse("FUNCTION_PAYLOAD_TOO_LARGE");
    streamBody(request, incoming);
    return invoke(route ?? unmatched, request, { outgoing, refuse, log: options.log });
  };
}

function clientOf(
  incoming: IncomingMessage,
  readClient: ReturnType<typeof createClientReader>,
): CallerInfo {
  return readClient({
    socketAddress: incoming.socket.remoteAddress ?? "",
    forwardedFor: joined(incoming.headers["x-forwarded-for"]),
    forwardedProto: joined(incoming.headers["x-forwarded-proto"]),
  });
}

function joined(header: string | string[] | undefined): string | undefined {
  return header === undefined ? undefined : String(header);
}

/** RFC 9112, section 3.2: exactly one Host; optional only in HTTP/1.0. */
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

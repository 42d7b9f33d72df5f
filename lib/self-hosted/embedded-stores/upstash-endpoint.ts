import { createHash, timingSafeEqual } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import {
  handleRedis,
  type RedisBackend,
  type RedisPath,
  type RedisReply,
} from "../../platform/redis-transport/upstash-protocol.js";

export interface UpstashEndpoint {
  url: string;
  token: string;
  close(): Promise<void>;
}

interface UpstashOptions {
  backend: RedisBackend;
  token: string;
}

const bodyBytesMax = 10 * 1024 * 1024;

/** Works with the unmodified client; also serves `/set/key/value?EX=60` for curl. Port 0 is any free port. */
export async function startUpstashEndpoint({
  port = 0,
  host = "127.0.0.1",
  ...options
}: UpstashOptions & { port?: number; host?: string }): Promise<UpstashEndpoint> {
  const server = createServer(upstashListener(options));
  // Longer than clients keep idle connections.
  server.keepAliveTimeout = 120_000;

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://${host}:${address.port}`,
    token: options.token,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Throws for an empty token. */
export function upstashListener({ backend, token }: UpstashOptions): RequestListener {
  if (token === "") throw new Error("The Upstash endpoint needs a token.");
  let replies = 0;
  return async (request, response) => {
    const reply = await answer(backend, token, request).catch(unreachable);
    const body = wantsBase64(request) ? encode(reply.body) : reply.body;
    replies += 1;
    send(response, reply.status, body, String(replies));
  };
}

async function answer(
  backend: RedisBackend,
  token: string,
  request: IncomingMessage,
): Promise<RedisReply> {
  const url = new URL(request.url ?? "/", "http://endpoint");
  const given = request.headers.authorization?.replace(/^Bearer /i, "");
  if (!isSame(given ?? url.searchParams.get("_token") ?? "", token)) {
    return { status: 401, body: { error: "WRONGPASS invalid or missing auth token" } };
  }

  const text = await readBody(request);
  if (text === null) return { status: 413, body: { error: "ERR max request size exceeded" } };

  const path = url.pathname.slice(1);
  const body = isClientPath(path) ? parse(text) : commandOf(path, url.searchParams, text);
  if (body === undefined) return { status: 400, body: { error: "ERR failed to parse request" } };
  return handleRedis(backend, isClientPath(path) ? path : "", body);
}

function isClientPath(path: string): path is RedisPath {
  return path === "" || path === "pipeline" || path === "multi-exec";
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** A command in the URL; body and query are further arguments. */
function commandOf(path: string, query: URLSearchParams, body: string): string[] | undefined {
  const options = [...query]
    .filter(([name]) => name !== "_token")
    .flatMap(([name, value]) => (value === "" ? [name] : [name, value]));
  try {
    const words = path.split("/").map(decodeURIComponent);
    return [...words, ...(body === "" ? [] : [body]), ...options];
  } catch {
    return undefined;
  }
}

async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Read the rest, so that the client gets the reply.
    if (bytes <= bodyBytesMax) chunks.push(chunk);
  }
  return bytes > bodyBytesMax ? null : Buffer.concat(chunks).toString("utf8");
}

function wantsBase64(request: IncomingMessage): boolean {
  return request.headers["upstash-encoding"] === "base64";
}

function encode(body: unknown): unknown {
  if (Array.isArray(body)) return body.map(encode);
  const reply = body as { result?: unknown; error?: string };
  return "result" in reply ? { result: encodeResult(reply.result) } : reply;
}

function encodeResult(result: unknown): unknown {
  if (typeof result === "string") return Buffer.from(result).toString("base64");
  return Array.isArray(result) ? result.map(encodeResult) : result;
}

function unreachable(error: unknown): RedisReply {
  const reason = error instanceof Error ? error.message : String(error);
  return { status: 503, body: { error: `ERR the database cannot be reached: ${reason}` } };
}

function send(response: ServerResponse, status: number, body: unknown, syncToken: string): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "upstash-sync-token": syncToken,
  });
  response.end(text);
}

function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

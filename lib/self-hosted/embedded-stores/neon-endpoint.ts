import { createHash, timingSafeEqual } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import {
  handleSql,
  type SqlBackend,
  type SqlReply,
} from "../../platform/postgres-transport/neon-protocol.js";

const bodyBytesMax = 64 * 1024 * 1024;

interface NeonOptions {
  backend: SqlBackend;
  connectionString: string;
}

/** Serves `POST /sql` for the credentials of `connectionString`. A closed client connection aborts its call of `backend`. */
export async function startNeonEndpoint({
  port = 0,
  host = "127.0.0.1",
  ...options
}: NeonOptions & { port?: number; host?: string }): Promise<{
  url: string;
  close(): Promise<void>;
}> {
  const server = http.createServer(neonListener(options));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const { port: actualPort } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${actualPort}/sql`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function neonListener({ backend, connectionString }: NeonOptions): http.RequestListener {
  const authorize = authorizer(connectionString);

  async function answer(
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ): Promise<SqlReply> {
    if (request.method !== "POST" || request.url !== "/sql") {
      return { status: 404, body: { message: "Not found: only POST /sql is available" } };
    }
    const client = new AbortController();
    response.on("close", () => client.abort());
    const body = await readBody(request);
    if (body === null) {
      return {
        status: 413,
        body: { message: `request is too large (max is ${bodyBytesMax} bytes)` },
      };
    }
    return (
      authorize(request.headers["neon-connection-string"]) ??
      handleSql(backend, request.headers, body, client.signal)
    );
  }

  return (request, response) => {
    answer(request, response).then(
      (reply) => send(response, reply),
      (error: Error) => send(response, { status: 503, body: { message: error.message } }),
    );
  };
}

/** Returns an error reply, or undefined if the connection string is right. */
function authorizer(
  connectionString: string,
): (given: string | string[] | undefined) => SqlReply | undefined {
  const expected = new URL(connectionString);
  let lastAccepted: string | undefined;
  return (given) => {
    if (given !== undefined && given === lastAccepted) return undefined;
    if (typeof given !== "string" || !URL.canParse(given)) {
      return refused("08P01", "Neon-Connection-String must be the URL of a database");
    }
    const { username, password, pathname } = new URL(given);
    const user = decodeURIComponent(username);
    if (username !== expected.username || !isSameSecret(password, expected.password)) {
      return refused("28P01", `password authentication failed for user "${user}"`);
    }
    if (pathname !== expected.pathname) {
      const database = decodeURIComponent(pathname.slice(1));
      return refused("3D000", `database "${database}" does not exist`);
    }
    lastAccepted = given;
    return undefined;
  };
}

function refused(code: string, message: string): SqlReply {
  return { status: 400, body: { message, code, severity: "FATAL" } };
}

function isSameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** Null when the body is too large; it is still read, so that the client gets the reply. */
async function readBody(request: http.IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes <= bodyBytesMax) chunks.push(chunk);
  }
  return bytes > bodyBytesMax ? null : Buffer.concat(chunks).toString("utf8");
}

function send(response: http.ServerResponse, reply: SqlReply): void {
  if (response.destroyed) return;
  let { status, headers } = reply;
  let body = encoded(reply.body);
  if (body === null) {
    status = 507;
    headers = {};
    body = JSON.stringify({ message: `Response is too large (max is ${bodyBytesMax} bytes)` });
  }
  response.writeHead(status, {
    ...headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

function encoded(body: unknown): string | null {
  try {
    const text = JSON.stringify(body);
    return Buffer.byteLength(text) > bodyBytesMax ? null : text;
  } catch (error) {
    // The maximum string length of V8 is 512 MB.
    if (error instanceof RangeError) return null;
    throw error;
  }
}
